"""The order in which an image's pixels are shown, as a permutation that the records keep."""

import numpy as np

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError

ORDERS = ('raster', 'random', 'hilbert')
_STREAM = 11


def random_order(size: int, seed: int) -> tuple[int, ...]:
    """One fixed random order of size**2 pixels (pMNIST; paper, section 4.1)."""
    pixels = np.arange(size**2, dtype=np.uint64)
    keys = anchors.mix(seed, _STREAM, pixels)
    return tuple(np.argsort(keys, kind='stable').tolist())


def hilbert_order(size: int) -> tuple[int, ...]:
    """Pixels along a Hilbert curve: from the upper left corner to the upper right one.

    Pixels that are near each other in the picture mostly stay so in the sequence, where row by row
    the pixel below comes `size` steps later.

    Args:
      size: side, a power of two.

    Returns:
      Of each step, the pixel's number in the raster.

    Raises:
      LonghaulError: for another side.
    """
    if size & (size - 1):
        lower = 1 << (size.bit_length() - 1)
        raise LonghaulError(
            f'--pixel_order=hilbert: --image_size={size} is no power of two, and the curve needs '
            f'one; use {lower} or {2 * lower}, or another order'
        )
    # The curve of twice the side: four copies, the first and the last one turned (their x and y
    # swapped), so that each begins beside the end of the one before.
    x = y = np.zeros(1, np.int64)
    side = 1
    while side < size:
        x, y = (
            np.concatenate([y, x, x + side, 2 * side - 1 - y]),
            np.concatenate([x, y + side, y + side, side - 1 - x]),
        )
        side *= 2
    return tuple((y * size + x).tolist())
