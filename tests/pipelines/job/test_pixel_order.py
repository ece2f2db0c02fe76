"""Orders of pixels: each shows every pixel once, the Hilbert curve without a jump."""

import numpy as np
import pytest

from pipelines.format.errors import LonghaulError
from pipelines.job.pixel_order import hilbert_order, random_order


def rotate(n: int, x: int, y: int, rx: int, ry: int) -> tuple[int, int]:
    if ry == 0:
        if rx == 1:
            x, y = n - 1 - x, n - 1 - y
        x, y = y, x
    return x, y


def distance_of(n: int, x: int, y: int) -> int:
    """Place of (x, y) on the curve, by the usual bitwise algorithm (Hilbert curve, Wikipedia)."""
    d, s = 0, n // 2
    while s > 0:
        rx, ry = int(x & s > 0), int(y & s > 0)
        d += s * s * ((3 * rx) ^ ry)
        x, y = rotate(n, x, y, rx, ry)
        s //= 2
    return d


@pytest.mark.parametrize('size', [1, 2, 4, 8, 32])
def test_the_curve_is_the_usual_one(size):
    places = [distance_of(size, pixel % size, pixel // size) for pixel in hilbert_order(size)]
    # The usual one may begin by going right instead of down: the same with x and y swapped.
    turned = [distance_of(size, pixel // size, pixel % size) for pixel in hilbert_order(size)]
    assert list(range(size**2)) in (places, turned)


def test_each_step_goes_to_a_neighbour():
    order = np.array(hilbert_order(64))
    x, y = order % 64, order // 64
    assert np.all(np.abs(np.diff(x)) + np.abs(np.diff(y)) == 1)
    assert sorted(order) == list(range(64 * 64))
    assert (order[0], order[-1]) == (0, 63)


@pytest.mark.parametrize('size', [3, 28, 96])
def test_other_sides_are_refused_with_the_nearest_ones(size):
    lower = 2 ** int(np.log2(size))
    with pytest.raises(LonghaulError, match=f'--image_size={size}.*use {lower} or {2 * lower}'):
        hilbert_order(size)


def test_a_random_order_is_a_function_of_its_seed():
    first = random_order(28, 0)
    assert first == random_order(28, 0)
    assert first != random_order(28, 1)
    assert sorted(first) == list(range(784))
