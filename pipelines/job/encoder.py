"""Payload -> stored values, by the code that the exported model contains; says why it cannot be."""

import contextlib
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.pixels import steps_from_pixels
from pipelines.format.refusals import reason_of
from pipelines.format.spec import SequenceSpec
from pipelines.job.image_header import read_header
from pipelines.job.items import Payload, Rejected

# Beyond it a small file is a bomb, not a picture: 2**28 pixels take 4 GiB while they are resized.
_MAX_PIXELS = 1 << 28


def set_up_worker() -> None:
    """Leaves the other cores to the other workers, and accelerators to those who train."""
    # A process that has computed before keeps what it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], 'GPU')


@functools.lru_cache(maxsize=4)
def _functions(spec: SequenceSpec) -> tuple[Callable, Callable]:
    """Traced once per process: an eager call per operation costs more than the work itself."""
    of_bytes = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    of_pixels = tf.function(
        lambda pixels: steps_from_pixels(pixels, spec),
        input_signature=[tf.TensorSpec([None, None, 1], tf.uint8)],
    )
    return of_bytes, of_pixels


def encode(payload: Payload, spec: SequenceSpec) -> np.ndarray:
    """Decodes one payload.

    Returns:
      [T, C] or [T], of the spec's dtype.

    Raises:
      Rejected: with the reason.
    """
    of_bytes, of_pixels = _functions(spec)
    if payload.pixels is not None:
        return of_pixels(payload.pixels).numpy()
    if spec.kind == 'image':
        _check_image(payload.data)
    elif spec.kind == 'text' and not payload.data.strip():
        raise Rejected('the text is empty')
    try:
        return of_bytes(payload.data).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        found = reason_of(error) or ('not a readable image: damaged or cut off', '')
        raise Rejected(*found) from error


def _check_image(data: bytes) -> None:
    if not data:
        raise Rejected('the file is empty')
    header = read_header(data)
    if header is None:
        raise Rejected('neither a PNG nor a JPEG file')
    if header.width * header.height > _MAX_PIXELS:
        size = f'{header.width} x {header.height}'
        raise Rejected(f'more than {_MAX_PIXELS} pixels', size)
    if header.orientation != 1:
        raise Rejected(
            'rotated by EXIF, which would be lost: rotate the pixels themselves',
            f'orientation {header.orientation}',
        )
