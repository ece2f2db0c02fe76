"""Orders of an image's pixels in its sequence, as permutations. The records store them."""

import numpy as np

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError

ORDERS = ('raster', 'random', 'hilbert')
_STREAM = 11


def random_order(size: int, seed: int) -> tuple[int, ...]:
    """A random order of size**2 pixels, the same for all images (pMNIST; paper, section 4.1)."""
    pixels = np.arange(size**2, dtype=np.uint64)
    keys = anchors.mix(seed, _STREAM, pixels)
    return tuple(np.argsort(keys, kind='stable').tolist())


def hilbert_order(size: int) -> tuple[int, ...]:
    """The order of pixels along a Hilbert curve, from the upper left to the upper right corner.

    Pixels that are near each other in the picture are mostly near each other in the sequence. Row
    by row, the pixel below another one would come `size` steps later.

    Args:
      size: side of the image, a power of two.

    Returns:
      The pixel of each step, as its number in the raster.

    Raises:
      LonghaulError: if the side is not a power of two.
    """
    if size & (size - 1):
        lower = 1 << (size.bit_length() - 1)
        raise LonghaulError(
            f'--pixel_order=hilbert: --image_size={size} is no power of two, and the curve needs '
            f'one; use {lower} or {2 * lower}, or another order'
        )
    # A curve of twice the side is made of four copies. x and y are swapped in the first and the
    # last copy, so that each copy begins beside the end of the copy before it.
    x = y = np.zeros(1, np.int64)
    side = 1
    while side < size:
        x, y = (
            np.concatenate([y, x, x + side, 2 * side - 1 - y]),
            np.concatenate([x, y + side, y + side, side - 1 - x]),
        )
        side *= 2
    return tuple((y * size + x).tolist())
