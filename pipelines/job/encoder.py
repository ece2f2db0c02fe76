"""Payload -> stored values, by the code that the exported model contains; says why an item fails."""

import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.sequences import SequenceSpec
from pipelines.job.items import Payload, Rejected

# 1 GiB of pixels: beyond it a small file is a bomb, not a picture.
_MAX_PIXELS = 1 << 28


@functools.lru_cache(maxsize=4)
def _functions(spec: SequenceSpec) -> tuple[Callable, Callable]:
    """Traced once per process: an eager call per operation costs more than the work itself."""
    of_bytes = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    of_pixels = tf.function(
        lambda pixels: sequences.steps_from_pixels(pixels, spec),
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
    if not payload.data:
        raise Rejected('the file is empty' if spec.kind == 'image' else 'the text is empty')
    if spec.kind == 'image':
        _check_image(payload.data)
    try:
        return of_bytes(payload.data).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        raise Rejected('not a readable PNG or JPEG image') from error


def _check_image(data: bytes) -> None:
    if data[:8] == b'\x89PNG\r\n\x1a\n':
        width, height = (int.from_bytes(data[i : i + 4], 'big') for i in (16, 20))
        if width * height > _MAX_PIXELS:
            raise Rejected(f'{width} x {height} pixels are more than {_MAX_PIXELS}')
    elif data[:2] == b'\xff\xd8':
        orientation = exif_orientation(data)
        if orientation not in (None, 1):
            raise Rejected(f'EXIF orientation {orientation}: rotate the pixels themselves')
    else:
        raise Rejected('neither a PNG nor a JPEG file')


def exif_orientation(data: bytes) -> int | None:
    """The EXIF orientation (1 to 8) of a JPEG file; None when it says nothing.

    TensorFlow ignores it, and a rotated picture read as if it were upright is wrong in silence.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker, size = data[position + 1], int.from_bytes(data[position + 2 : position + 4], 'big')
        if marker == 0xDA or size < 2:
            return None
        body = data[position + 4 : position + 2 + size]
        if marker == 0xE1 and body[:6] == b'Exif\0\0':
            return _tiff_orientation(body[6:])
        position += 2 + size
    return None


def _tiff_orientation(tiff: bytes) -> int | None:
    order = {b'II': 'little', b'MM': 'big'}.get(tiff[:2])
    if order is None:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 1000)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == 0x0112:
            return number(at + 8, 2)
    return None
