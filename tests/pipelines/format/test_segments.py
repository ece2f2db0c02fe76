"""Segments: cut from the end, the first one short."""

import numpy as np
import pytest

from pipelines.format import segments


@pytest.mark.parametrize(
    ('length', 'steps', 'expected'),
    [
        pytest.param(10, 4, [2, 4, 4], id='first-short'),
        pytest.param(8, 4, [4, 4], id='whole'),
        pytest.param(3, 4, [3], id='shorter-than-a-segment'),
        pytest.param(4, 4, [4], id='one-whole'),
        pytest.param(1, 4, [1], id='one-step'),
        pytest.param(5, 1, [1, 1, 1, 1, 1], id='segments-of-one'),
        pytest.param(784, 300, [184, 300, 300], id='mnist'),
    ],
)
def test_sizes(length, steps, expected):
    parts = segments.split_segments(np.zeros(length, np.uint8), steps)
    assert [len(p) for p in parts] == expected
    assert segments.segment_count(length, steps) == len(expected)
    assert segments.padded_steps(len(expected), steps) == steps * len(expected)


def test_keeps_the_order_of_steps():
    parts = segments.split_segments(np.arange(7, dtype=np.uint8), 3)
    assert parts == [b'\x00', b'\x01\x02\x03', b'\x04\x05\x06']


def test_keeps_the_channels_of_a_step_together():
    values = np.arange(9, dtype=np.uint8).reshape(3, 3)
    assert segments.split_segments(values, 2) == [b'\x00\x01\x02', b'\x03\x04\x05\x06\x07\x08']


@pytest.mark.parametrize('order', ['<', '>'], ids=['little', 'big'])
def test_stores_little_endian_whatever_the_array_has(order):
    values = np.array([0x0102, 0x0304], f'{order}u2')
    assert segments.split_segments(values, 1) == [b'\x02\x01', b'\x04\x03']


def test_stores_views_as_they_look():
    # A transposed or strided array has another memory order than it shows.
    values = np.arange(12, dtype=np.uint8).reshape(3, 4).T[::2]
    assert segments.split_segments(values, 2) == [b'\x00\x04\x08\x02\x06\x0a']


def test_count_takes_arrays():
    lengths = np.array([1, 10, 11, 20, 21])
    assert segments.segment_count(lengths, 10).tolist() == [1, 1, 2, 2, 3]


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float16'])
@pytest.mark.parametrize('length', [1, 6, 7])
def test_join_restores(dtype, length):
    values = np.arange(length * 3).reshape(length, 3).astype(dtype)
    parts = segments.split_segments(values, 3)
    np.testing.assert_array_equal(segments.join(parts, dtype=dtype, channels=3), values)
    flat = segments.split_segments(values[:, 0], 3)
    np.testing.assert_array_equal(segments.join(flat, dtype=dtype), values[:, 0])
