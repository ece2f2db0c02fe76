"""Mean and deviation, against numpy's and Python's own; exact, and in any order for integers."""

import math
from fractions import Fraction

import numpy as np
import pytest

from pipelines.format import values
from pipelines.format.values import Sums, add_up, sums_of


def random_examples(dtype, count=7, channels=3):
    random = np.random.RandomState(1)
    shapes = [(int(random.randint(1, 90)), channels) for _ in range(count)]
    if np.dtype(dtype).kind == 'u':
        return [random.randint(0, np.iinfo(dtype).max + 1, s).astype(dtype) for s in shapes]
    return [(random.randn(*s) * 100).astype(dtype) for s in shapes]


@pytest.mark.parametrize('dtype', ['uint8', 'uint16', 'float16'])
def test_mean_and_deviation_are_numpys(dtype):
    examples = random_examples(dtype)
    found = add_up(sums_of(examples), 3).to_json()
    together = np.concatenate(examples).astype(np.float64)
    assert found['steps'] == len(together)
    np.testing.assert_allclose(found['mean'], together.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(found['deviation'], together.std(axis=0), rtol=1e-12)


@pytest.mark.parametrize('dtype', ['uint8', 'uint16'])
def test_integers_are_summed_exactly_in_any_order(dtype):
    """The largest values, in more steps than are taken at a time, against Python's integers."""
    values = np.full([70_000, 2], np.iinfo(dtype).max, dtype)
    values[:, 1] -= np.arange(70_000).astype(dtype) % 7
    columns = [[int(v) for v in column] for column in values.T]
    expected = Sums(70_000, [sum(c) for c in columns], [sum(v * v for v in c) for c in columns])
    parts = [values[:1], values[1:65_000], values[65_000:]]
    assert add_up(sums_of([values]), 2) == expected
    assert add_up(sums_of(parts[::-1]), 2) == expected
    assert all(isinstance(v, int) for v in expected.values)


def test_floats_are_summed_one_after_the_other():
    """Python's own additions, in this order and no other, give these very bits."""
    examples = random_examples('float16', channels=1)
    sums = squares = 0.0
    for example in examples:
        one, other = 0.0, 0.0
        for value in example[:, 0].tolist():
            one, other = one + value, other + value * value
        sums, squares = sums + one, squares + other
    found = add_up(sums_of(examples), 1)
    assert (found.values, found.squares) == ([sums], [squares])


@pytest.mark.parametrize('chunk', [1, 7, 1000])
def test_long_examples_of_floats_are_summed_in_pieces_of_the_same_bits(monkeypatch, chunk):
    # From the smallest numbers to large ones: their squares' sum is rounded, by its order.
    sizes = np.random.RandomState(2).uniform(-7, 4, [90, 2])
    example = (10.0**sizes).astype(np.float16)
    (whole,) = sums_of([example])
    monkeypatch.setattr(values, '_CHUNK', chunk)
    assert sums_of([example]) == [whole]
    assert sums_of([example[::-1]])[0].squares != whole.squares


def test_documents_without_channels():
    assert sums_of([np.array([1, 2], np.uint8), np.array([5], np.uint8)]) == [Sums(3, [8], [30])]


def test_nothing_has_no_mean():
    found = add_up(sums_of([]), 2).to_json()
    assert found == {
        'steps': 0,
        'sums': [0, 0],
        'squares': [0, 0],
        'mean': None,
        'deviation': None,
    }


def test_a_deviation_is_never_the_root_of_less_than_nothing():
    """0.1 in float16 cannot be squared exactly often enough: the sums differ in their last bits."""
    example = np.full([1000, 1], 0.1, np.float16)
    found = add_up(sums_of([example]), 1)
    value = Fraction(float(example[0, 0]))
    mean, deviation = found.to_json()['mean'][0], found.to_json()['deviation'][0]
    assert math.isclose(mean, float(value), rel_tol=1e-12)
    assert 0 <= deviation < 1e-6
    less = found._replace(squares=[found.squares[0] * (1 - 1e-9)])
    assert less.to_json()['deviation'] == [0.0]
