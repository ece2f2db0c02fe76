"""Payloads -> stored values. Documents stored as bytes need no more than Python for that.

TensorFlow, which takes seconds to load, decodes everything else: see `decoding`.
"""

from collections.abc import Sequence

import numpy as np

from pipelines.format.spec import SequenceSpec
from pipelines.job import lean
from pipelines.job.items import Payload, Rejected


def needs_tensorflow(spec: SequenceSpec) -> bool:
    """Whether TensorFlow decodes the items."""
    return spec.tokens != 'bytes'


def set_up_worker(spec: SequenceSpec) -> None:
    """Loads what decodes, and limits it to one thread per operation and to the processor."""
    if needs_tensorflow(spec):
        lean.load_tensorflow()
        from pipelines.job import decoding

        decoding.set_up_worker()


def encode_batch(payloads: Sequence[Payload], spec: SequenceSpec) -> list[np.ndarray | Rejected]:
    """Decodes payloads.

    Args:
      payloads: any number; memory holds all of them and their values.
      spec: of the records, without trailing steps.

    Returns:
      The values of each payload, [T, C] or [T] of the spec's dtype, or the verdict about it.

    Raises:
      LonghaulError: if memory does not suffice for one of them alone.
    """
    contents = [payload.content for payload in payloads]
    if spec.kind != 'text':
        return _by_tensorflow(contents, spec)
    texts = [bytes(content) for content in contents]
    usable = [text for text in texts if not _is_empty(text)]
    by_tensorflow = needs_tensorflow(spec)
    found = _by_tensorflow(usable, spec) if by_tensorflow else [_steps(t, spec) for t in usable]
    values = iter(found)
    return [Rejected('the text is empty') if _is_empty(t) else next(values) for t in texts]


def _by_tensorflow(
    contents: Sequence[bytes | np.ndarray], spec: SequenceSpec
) -> list[np.ndarray | Rejected]:
    from pipelines.job import decoding

    return decoding.decode(contents, spec)


def _is_empty(text: bytes) -> bool:
    return not text or text.isspace()


def _steps(text: bytes, spec: SequenceSpec) -> np.ndarray | Rejected:
    return np.frombuffer(_cut(text, spec), np.uint8)


def _cut(text: bytes, spec: SequenceSpec) -> bytes:
    """Cuts a text to `max_steps`, as `sequences.cut_steps` cuts steps."""
    most = spec.max_steps
    if most is None or len(text) <= most:
        return text
    if spec.cut == 'head':
        return text[:most]
    if spec.cut == 'tail':
        return text[-most:]
    return text[: most - most // 2] + text[len(text) - most // 2 :]
