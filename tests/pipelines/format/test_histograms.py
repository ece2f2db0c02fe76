"""Counts of values against numpy's, and their entropy against a definition in fractions."""

import math

import numpy as np
import pytest

from pipelines.format import histograms
from pipelines.format.histograms import entropies_of, histogram_of, levels_of
from pipelines.format.spec import SequenceSpec, character_spec, signal_spec, text_spec


@pytest.mark.parametrize('chunk', [1, 7, 1000])
@pytest.mark.parametrize(('dtype', 'levels'), [('uint8', 256), ('uint16', 900)])
def test_every_value_is_counted(monkeypatch, chunk, dtype, levels):
    monkeypatch.setattr(histograms, '_CHUNK', chunk)
    random = np.random.RandomState(0)
    examples = [random.randint(0, levels, [n, 3]).astype(dtype) for n in (1, 40, 7)]
    found = histogram_of(examples, levels)
    assert (found.shape, found.dtype) == ((3, levels), np.int64)
    together = np.concatenate(examples)
    for channel in range(3):
        expected = [(together[:, channel] == value).sum() for value in range(levels)]
        assert found[channel].tolist() == expected
    parts = sum(histogram_of([example], levels) for example in examples[::-1])
    np.testing.assert_array_equal(parts, found)


def test_ids_have_one_channel():
    found = histogram_of([np.array([1, 2], np.uint8), np.array([2], np.uint8)], 4)
    assert found.tolist() == [[0, 1, 2, 0]]


def test_the_entropy_of_what_is_known():
    counts = np.array([[5, 5, 0, 0], [9, 0, 0, 0], [1, 1, 1, 1], [2, 1, 1, 0]])
    half = math.log(2)
    found = entropies_of(counts)
    np.testing.assert_allclose(found, [half, 0, 2 * half, 1.5 * half], rtol=1e-15)
    assert found[1] == 0
    assert entropies_of(np.zeros([2, 4], np.int64)) is None


def test_the_entropy_of_large_counts_is_numpys():
    counts = np.random.RandomState(1).randint(0, 1 << 40, [2, 5000])
    counts[:, :4000] %= 3
    shares = counts / counts.sum(axis=1, keepdims=True)
    expected = -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=1)
    np.testing.assert_allclose(entropies_of(counts), expected, rtol=1e-12)


def test_golden_entropy():
    """To the last bit: stats.json is the same on any machine."""
    (found,) = entropies_of(np.arange(300)[np.newaxis])
    assert found.hex() == '0x1.6092ad76471fbp+2'


def test_what_is_counted():
    assert levels_of(SequenceSpec('image', image_size=2)) == 256
    assert levels_of(signal_spec(dtype='uint8', channels=2)) == 256
    assert levels_of(signal_spec(dtype='float16', channels=2)) is None
    assert levels_of(text_spec()) == 256
    assert levels_of(character_spec().with_vocabulary('abc')) == 4
    assert levels_of(character_spec()) is None
