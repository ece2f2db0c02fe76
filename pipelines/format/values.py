"""Mean and deviation of what is stored, per channel: the same numbers on any runner.

Sums of integers are exact. Those of floats are taken in float64, one step after the other, one
example after the other, one shard after the other: an order that neither a runner nor a processor's
vectors can change.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

# Steps at a time: float64 takes many times what is stored. Sums of squares of 2**16 uint16 stay
# far below 2**53, up to which float64 holds every whole number.
_CHUNK = 1 << 16


class Sums(NamedTuple):
    """Steps, and by channel the sums of values and of their squares (floats for floats)."""

    steps: int
    values: list[int] | list[float]
    squares: list[int] | list[float]

    def add(self, other: 'Sums') -> 'Sums':
        """Both; floats are to be added in a fixed order."""
        return Sums(
            self.steps + other.steps,
            [a + b for a, b in zip(self.values, other.values, strict=True)],
            [a + b for a, b in zip(self.squares, other.squares, strict=True)],
        )

    def to_json(self) -> dict[str, Any]:
        """The sums themselves, and what people want to see; None where there is nothing."""
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
        # Rounded sums of floats that are all alike may leave a little less than nothing.
        return math.sqrt(max(0, square_sum / self.steps - (value_sum / self.steps) ** 2))


def add_up(parts: Iterable[Sums], channels: int) -> Sums:
    """All parts, in the order given; zeros without any."""
    total = Sums(0, [0] * channels, [0] * channels)
    for part in parts:
        total = total.add(part)
    return total


def sums_of(examples: Sequence[np.ndarray]) -> list[Sums]:
    """What examples add, to be added in this order.

    Args:
      examples: [T, C] or [T] each, of one dtype: uint8, uint16, or floats, all finite.

    Returns:
      One element for all if they are integers, whose order does not matter; else one for each.
    """
    if not examples:
        return []
    rows = [values.reshape([len(values), -1]) for values in examples]
    if rows[0].dtype.kind == 'u':
        together = rows[0] if len(rows) == 1 else np.concatenate(rows)
        starts = range(0, len(together), _CHUNK)
        parts = (_of_integers(together[start : start + _CHUNK]) for start in starts)
        return [add_up(parts, together.shape[1])]
    return [_of_floats(values) for values in rows]


def _of_integers(rows: np.ndarray) -> Sums:
    """As products of matrices in float64: exact here, and several times as fast as integers."""
    wide, ones = rows.astype(np.float64), np.ones(len(rows))
    return Sums(len(rows), _whole(ones @ wide), _whole(ones @ (wide * wide)))


def _whole(sums: np.ndarray) -> list[int]:
    return [int(value) for value in sums]


def _of_floats(rows: np.ndarray) -> Sums:
    """In chunks, each of which begins with what the ones before have come to."""
    sums = squares = np.zeros([rows.shape[1]])
    for start in range(0, len(rows), _CHUNK):
        wide = rows[start : start + _CHUNK].astype(np.float64)
        sums, squares = _in_order(sums, wide), _in_order(squares, wide * wide)
    return Sums(len(rows), sums.tolist(), squares.tolist())


def _in_order(before: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.add.accumulate(np.concatenate([before[np.newaxis], values]), axis=0)[-1]
