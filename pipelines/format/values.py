"""Mean and deviation of the stored values, per channel: the same numbers on any runner.

Sums of integers are exact. Sums of floats are taken in float64 and in a fixed order: step by step,
example by example, shard by shard. Neither a runner nor the vectors of a processor change the
order.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from pipelines.format.histograms import histogram_of

# Steps that are summed at a time: as float64 they take many times the memory of stored values.
_CHUNK = 1 << 16


class Sums(NamedTuple):
    """The number of steps, and by channel the sums of values and of their squares.

    The sums are integers for integers and floats for floats.
    """

    steps: int
    values: list[int] | list[float]
    squares: list[int] | list[float]

    def add(self, other: 'Sums') -> 'Sums':
        """The sums of both. Add floats in a fixed order only."""
        return Sums(
            self.steps + other.steps,
            [a + b for a, b in zip(self.values, other.values, strict=True)],
            [a + b for a, b in zip(self.squares, other.squares, strict=True)],
        )

    def to_json(self) -> dict[str, Any]:
        """The sums, and the mean and the deviation of the values; these are None without steps."""
        mean = deviation = None
        if self.steps:
            mean = [float(Fraction(a) / self.steps) for a in self.values]
            pairs = zip(self.values, self.squares, strict=True)
            deviation = [self._deviation(Fraction(a), Fraction(b)) for a, b in pairs]
        return {
            'steps': self.steps,
            'sums': self.values,
            'squares': self.squares,
            'mean': mean,
            'deviation': deviation,
        }

    def _deviation(self, value_sum: Fraction, square_sum: Fraction) -> float:
        # The sums of floats are rounded: for equal values the difference may be a little below 0.
        return math.sqrt(max(Fraction(0), square_sum / self.steps - (value_sum / self.steps) ** 2))


def add_up(parts: Iterable[Sums], channels: int) -> Sums:
    """Adds sums in the order given; zeros without any."""
    total = Sums(0, [0] * channels, [0] * channels)
    for part in parts:
        total = total.add(part)
    return total


def sums_of(examples: Sequence[np.ndarray]) -> list[Sums]:
    """The sums of examples, for `add_up`.

    Args:
      examples: [T, C] or [T] each, of one dtype: uint8, uint16, or floats, all finite.

    Returns:
      One element for all examples of integers. For floats one element for each example, in order:
      the order of additions matters.
    """
    if not examples:
        return []
    dtype = examples[0].dtype
    if dtype.kind == 'u':
        return [sums_of_histogram(histogram_of(examples, np.iinfo(dtype).max + 1))]
    return [_of_floats(values.reshape([len(values), -1])) for values in examples]


def sums_of_histogram(histogram: np.ndarray) -> Sums:
    """The sums of all values that a histogram int64 [C, levels] has counted."""
    numbers = np.arange(histogram.shape[1], dtype=np.int64)
    return Sums(
        int(histogram[0].sum()), (histogram @ numbers).tolist(), (histogram @ numbers**2).tolist()
    )


def _of_floats(rows: np.ndarray) -> Sums:
    """The sums of one example [T, C], chunk by chunk; a chunk goes on from the sums before it."""
    sums = squares = np.zeros([rows.shape[1]])
    for start in range(0, len(rows), _CHUNK):
        wide = rows[start : start + _CHUNK].astype(np.float64)
        sums, squares = _in_order(sums, wide), _in_order(squares, wide * wide)
    return Sums(len(rows), sums.tolist(), squares.tolist())


def _in_order(before: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.add.accumulate(np.concatenate([before[np.newaxis], values]), axis=0)[-1]
