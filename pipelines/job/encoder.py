"""Payloads -> stored values, by the code that exported models contain.

One call of a graph decodes many payloads: a call takes a hundred microseconds, and a small image a
fraction of that. If one item cannot be decoded, the whole call fails. Then the items are decoded
one by one, so that only the bad ones are rejected.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.images.files import are_plain_pngs
from pipelines.format.pixels import steps_from_pixels
from pipelines.format.spec import SequenceSpec
from pipelines.job.items import Payload, Rejected

_UNREADABLE, _NO_MEMORY = tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError


def set_up_worker() -> None:
    """Limits TensorFlow to one thread per operation, and hides GPUs from it."""
    # TensorFlow refuses changes after the first computation; then the settings stay as they are.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], 'GPU')


class _Functions(NamedTuple):
    """The graphs of a spec. `one`: item -> values. `many`: items -> (all values, steps of each)."""

    one: Callable
    many: Callable


def _functions(convert: Callable, item: tf.TensorSpec, spec: SequenceSpec) -> _Functions:
    """Makes the graphs. Each is traced at its first call, which takes a second for images."""
    one = tf.function(convert, input_signature=[item])
    # Without a vocabulary, characters are code points.
    counted = spec.tokens == 'characters' and spec.vocabulary is None
    dtype, shape = tf.int32 if counted else tf.as_dtype(spec.dtype), [None, *spec.step_shape]

    def of_batch(items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Items [N, ...] -> (values [sum of T, ...], the steps of each item int32 [N])."""
        count, plain = tf.shape(items)[0], _plain(items, spec)
        values = tf.TensorArray(dtype, size=count, infer_shape=False, element_shape=shape)
        lengths = tf.TensorArray(tf.int32, size=count, element_shape=[])

        def one_more(i: tf.Tensor, values: tf.TensorArray, lengths: tf.TensorArray) -> tuple:
            """Decodes item i."""
            steps = convert(items[i]) if plain is None else convert(items[i], plain=plain[i])
            return i + 1, values.write(i, steps), lengths.write(i, tf.shape(steps)[0])

        # One item at a time: a call holds one decoded image.
        _, values, lengths = tf.while_loop(
            lambda i, *_: i < count, one_more, (0, values, lengths), parallel_iterations=1
        )
        return values.concat(), lengths.stack()

    signature = [tf.TensorSpec([None, *item.shape], item.dtype)]
    return _Functions(one, tf.function(of_batch, input_signature=signature))


def _plain(items: tf.Tensor, spec: SequenceSpec) -> tf.Tensor | None:
    """Which items are plain PNGs, bool [N]; None if the items are no image files."""
    asked = items.dtype == tf.string and spec.kind == 'image'
    return are_plain_pngs(items) if asked else None


@functools.lru_cache(maxsize=4)
def _of_bytes(spec: SequenceSpec) -> _Functions:
    decode = functools.partial(sequences.decode, spec=spec)
    return _functions(decode, tf.TensorSpec([], tf.string), spec)


@functools.lru_cache(maxsize=4)
def _of_pixels(spec: SequenceSpec) -> _Functions:
    return _functions(
        lambda pixels: steps_from_pixels(pixels, spec),
        tf.TensorSpec([None, None, 1], tf.uint8),
        spec,
    )


def encode_batch(payloads: Sequence[Payload], spec: SequenceSpec) -> list[np.ndarray | Rejected]:
    """Decodes payloads.

    Args:
      payloads: any number; memory holds all of them and their values.
      spec: of the records.

    Returns:
      The values of each payload, [T, C] or [T] of the spec's dtype, or the verdict about it.

    Raises:
      LonghaulError: if memory does not suffice for one of them alone.
    """
    found: dict[int, np.ndarray | Rejected] = {}
    by_shape: dict[tuple[int, ...] | None, list[int]] = {}
    for i, payload in enumerate(payloads):
        content = payload.content
        if not isinstance(content, bytes):
            by_shape.setdefault(content.shape, []).append(i)
        elif spec.kind == 'text' and not content.strip():
            found[i] = Rejected('the text is empty')
        else:
            by_shape.setdefault(None, []).append(i)
    for shape, places in by_shape.items():
        functions = _of_bytes(spec) if shape is None else _of_pixels(spec)
        items = [payloads[i].content for i in places]
        found.update(zip(places, _decode(items, functions, spec), strict=True))
    return [found[i] for i in range(len(payloads))]


def _decode(
    items: Sequence[bytes | np.ndarray], functions: _Functions, spec: SequenceSpec
) -> list[np.ndarray | Rejected]:
    """Decodes contents of one shape."""
    if len(items) > 1:
        with contextlib.suppress(_UNREADABLE, _NO_MEMORY):
            together = items if isinstance(items[0], bytes) else np.stack(items)
            values, lengths = (part.numpy() for part in functions.many(tf.constant(together)))
            return [*np.split(values, np.cumsum(lengths)[:-1])]
    return [_decode_one(item, functions, spec) for item in items]


def _decode_one(
    item: bytes | np.ndarray, functions: _Functions, spec: SequenceSpec
) -> np.ndarray | Rejected:
    try:
        return functions.one(tf.constant(item)).numpy()
    except _UNREADABLE as error:
        rejected = Rejected(*sequences.reason_of(error, spec))
        rejected.__cause__ = error
        return rejected
    except _NO_MEMORY as error:
        # The item is not rejected: the records must not depend on the machine.
        size = item.nbytes if isinstance(item, np.ndarray) else len(item)
        raise LonghaulError(
            f'--source: an item of {size:,} bytes needs more memory than this machine '
            f'has ({first_line(error)}); run the job where there is more, or take such items out'
        ) from error
