"""Payloads -> stored values, by the code that the exported model contains; says why they can't be.

Many payloads go through one call of a graph: a call costs a hundred microseconds, several times
what it takes to decode a small image. An item that cannot be decoded makes the whole call fail; its
items then go one by one, so that each bad one is rejected for itself and the others are not.
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
    """Leaves the other cores to the other workers, and accelerators to those who train."""
    # A process that has computed before keeps what it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], 'GPU')


class _Functions(NamedTuple):
    """Graphs of one spec: of one item, and of a batch -> (all values in a row, steps of each)."""

    one: Callable
    many: Callable


def _functions(convert: Callable, item: tf.TensorSpec, spec: SequenceSpec) -> _Functions:
    """Each traced once per process, when it is first called: that takes a second for images."""
    one = tf.function(convert, input_signature=[item])
    # Characters that are still to be counted come as code points.
    counted = spec.tokens == 'characters' and spec.vocabulary is None
    dtype, shape = tf.int32 if counted else tf.as_dtype(spec.dtype), [None, *spec.step_shape]

    def of_batch(items: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """[N, ...] -> values [sum of T, ...] and int32 [N]."""
        count, plain = tf.shape(items)[0], _plain(items, spec)
        values = tf.TensorArray(dtype, size=count, infer_shape=False, element_shape=shape)
        lengths = tf.TensorArray(tf.int32, size=count, element_shape=[])

        def one_more(i: tf.Tensor, values: tf.TensorArray, lengths: tf.TensorArray) -> tuple:
            """Item i."""
            steps = convert(items[i]) if plain is None else convert(items[i], plain=plain[i])
            return i + 1, values.write(i, steps), lengths.write(i, tf.shape(steps)[0])

        # One item at a time, so that one decoded image is all that a call holds.
        _, values, lengths = tf.while_loop(
            lambda i, *_: i < count, one_more, (0, values, lengths), parallel_iterations=1
        )
        return values.concat(), lengths.stack()

    signature = [tf.TensorSpec([None, *item.shape], item.dtype)]
    return _Functions(one, tf.function(of_batch, input_signature=signature))


def _plain(items: tf.Tensor, spec: SequenceSpec) -> tf.Tensor | None:
    """What can be found out about many files at once; None where there is nothing."""
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


def encode(payload: Payload, spec: SequenceSpec) -> np.ndarray:
    """Decodes one payload.

    Returns:
      [T, C] or [T], of the spec's dtype.

    Raises:
      Rejected: with the reason.
      LonghaulError: if memory does not suffice.
    """
    (found,) = encode_batch([payload], spec)
    if isinstance(found, Rejected):
        raise found
    return found


def encode_batch(payloads: Sequence[Payload], spec: SequenceSpec) -> list[np.ndarray | Rejected]:
    """Decodes payloads; what it gives for each is what `encode` gives or raises.

    Args:
      payloads: in any number; all of them are held, and so is what they become.
      spec: of the records.

    Raises:
      LonghaulError: if memory does not suffice for one of them alone.
    """
    found: list[np.ndarray | Rejected | None] = [None] * len(payloads)
    by_shape: dict[tuple[int, ...] | None, list[int]] = {}
    for i, payload in enumerate(payloads):
        if spec.kind == 'text' and not payload.data.strip():
            found[i] = Rejected('the text is empty')
        else:
            shape = None if payload.pixels is None else payload.pixels.shape
            by_shape.setdefault(shape, []).append(i)
    for shape, places in by_shape.items():
        functions = _of_bytes(spec) if shape is None else _of_pixels(spec)
        items = [payloads[i].data if shape is None else payloads[i].pixels for i in places]
        for i, values in zip(places, _decode(items, functions, spec), strict=True):
            found[i] = values
    return found


def _decode(
    items: list[bytes] | list[np.ndarray], functions: _Functions, spec: SequenceSpec
) -> list[np.ndarray | Rejected]:
    """Items of one shape."""
    if len(items) > 1:
        with contextlib.suppress(_UNREADABLE, _NO_MEMORY):
            together = np.stack(items) if isinstance(items[0], np.ndarray) else items
            values, lengths = (part.numpy() for part in functions.many(tf.constant(together)))
            return np.split(values, np.cumsum(lengths)[:-1])
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
        # Not rejected: the records must not depend on the machine.
        raise LonghaulError(
            f'--source: an item of {_bytes_of(item):,} bytes needs more memory than this machine '
            f'has ({first_line(error)}); run the job where there is more, or take such items out'
        ) from error


def _bytes_of(item: bytes | np.ndarray) -> int:
    return item.nbytes if isinstance(item, np.ndarray) else len(item)
