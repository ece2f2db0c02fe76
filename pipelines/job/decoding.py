"""Contents -> stored values, by the graphs that exported models contain.

One call of a graph decodes many contents: a call takes a hundred microseconds, and a small image a
fraction of that. If one of them cannot be decoded, the whole call fails. Then they are decoded one
by one, so that only the bad ones are rejected.

Only what needs TensorFlow imports this module, see `encoder`.
"""

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.images.files import decode_plain
from pipelines.format.images.plain import Kind, kind_of
from pipelines.format.pixels import steps_from_pixels
from pipelines.format.spec import SequenceSpec
from pipelines.job.items import Rejected

_UNREADABLE, _NO_MEMORY = tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError


def set_up_worker() -> None:
    """Limits TensorFlow to one thread per operation, and hides GPUs from it."""
    # TensorFlow refuses changes after the first computation; then the settings stay as they are.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], 'GPU')


class _Functions(NamedTuple):
    """The graphs of a spec. `one`: item -> values. `many`: items -> the values of each."""

    one: Callable[[tf.Tensor], tf.Tensor]
    many: Callable[[tf.Tensor], list[np.ndarray]]


def _one(convert: Callable, item: tf.TensorSpec) -> Callable:
    """Makes the graph that decodes one item. It is traced at its first call."""
    return tf.function(convert, input_signature=[item])


def _many(convert: Callable, item: tf.TensorSpec, spec: SequenceSpec) -> Callable:
    """Makes the graph that decodes many items one by one: a call holds one decoded image."""
    # Without a vocabulary, characters are code points.
    counted = spec.tokens == 'characters' and spec.vocabulary is None
    dtype, fixed = tf.int32 if counted else tf.as_dtype(spec.dtype), spec.fixed_length
    shape = [fixed, *spec.step_shape]

    def of_batch(items: tf.Tensor) -> tuple[tf.Tensor, ...]:
        """Items [N, ...] -> values [N, T, ...], or ([sum of T, ...], int32 [N]: each T)."""
        count = tf.shape(items)[0]
        values = tf.TensorArray(dtype, size=count, infer_shape=False, element_shape=shape)
        lengths = tf.TensorArray(tf.int32, size=count, element_shape=[])

        def one_more(i: tf.Tensor, values: tf.TensorArray, *lengths: tf.TensorArray) -> tuple:
            """Decodes item i."""
            steps = convert(items[i])
            size = tf.shape(steps)[0]
            return i + 1, values.write(i, steps), *(known.write(i, size) for known in lengths)

        _, values, *known = tf.while_loop(
            lambda i, *_: i < count,
            one_more,
            (0, values) if fixed else (0, values, lengths),
            parallel_iterations=1,
        )
        return (values.concat(), known[0].stack()) if known else (values.stack(),)

    signature = [tf.TensorSpec([None, *item.shape], item.dtype)]
    graph = tf.function(of_batch, input_signature=signature)

    def decode(items: tf.Tensor) -> list[np.ndarray]:
        """Runs the graph, and takes the values of the items apart."""
        values, *lengths = (part.numpy() for part in graph(items))
        return [*np.split(values, np.cumsum(lengths[0])[:-1])] if lengths else [*values]

    return decode


@functools.lru_cache(maxsize=12)
def _of_bytes(spec: SequenceSpec, kind: Kind = Kind.OTHER) -> _Functions:
    """The graphs for files; `many` is for files of one kind, and `one` for any file."""
    any_file, item = functools.partial(sequences.decode, spec=spec), tf.TensorSpec([], tf.string)
    if kind is Kind.OTHER:
        return _Functions(_one(any_file, item), _many(any_file, item, spec))

    def convert(data: tf.Tensor) -> tf.Tensor:
        """Decodes a file of this kind alone: a graph for any file takes long to make."""
        return steps_from_pixels(decode_plain(data, kind=kind, jpeg=spec.jpeg), spec)

    return _Functions(_of_bytes(spec).one, _many(convert, item, spec))


@functools.lru_cache(maxsize=4)
def _of_pixels(spec: SequenceSpec) -> _Functions:
    item = tf.TensorSpec([None, None, 1], tf.uint8)
    convert = functools.partial(steps_from_pixels, spec=spec)
    return _Functions(_one(convert, item), _many(convert, item, spec))


def decode(
    contents: Sequence[bytes | np.ndarray], spec: SequenceSpec
) -> list[np.ndarray | Rejected]:
    """Decodes contents, see `encoder.encode_batch`."""
    together: dict[tuple[int, ...] | Kind, list[int]] = {}
    for i, content in enumerate(contents):
        together.setdefault(_likeness(content, spec), []).append(i)
    found: dict[int, np.ndarray | Rejected] = {}
    for likeness, places in together.items():
        functions = _of_bytes(spec, likeness) if isinstance(likeness, Kind) else _of_pixels(spec)
        items = [contents[i] for i in places]
        found.update(zip(places, _decode(items, functions, spec), strict=True))
    return [found[i] for i in range(len(contents))]


def _likeness(content: bytes | np.ndarray, spec: SequenceSpec) -> tuple[int, ...] | Kind:
    """What contents that a graph decodes together have in common."""
    if not isinstance(content, bytes):
        return content.shape
    return kind_of(content) if spec.kind == 'image' else Kind.OTHER


def _decode(
    items: Sequence[bytes | np.ndarray], functions: _Functions, spec: SequenceSpec
) -> list[np.ndarray | Rejected]:
    """Decodes contents of one shape."""
    if len(items) > 1:
        with contextlib.suppress(_UNREADABLE, _NO_MEMORY):
            together = items if isinstance(items[0], bytes) else np.stack(items)
            return [*functions.many(tf.constant(together))]
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
