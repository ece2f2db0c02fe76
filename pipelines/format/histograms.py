"""How often each value is stored, per channel, and its entropy: the same on any machine."""

from collections.abc import Sequence
from decimal import Context, Decimal, localcontext

import numpy as np

from pipelines.format.spec import SequenceSpec

# Steps that are counted at a time: counting takes eight bytes for each value.
_CHUNK = 1 << 16
# Digits of a logarithm, more than a float has: the last digits of floats differ between processors.
_DIGITS = 25


def levels_of(spec: SequenceSpec) -> int | None:
    """The number of values that a step may hold; None for floats, which are not counted."""
    return spec.vocabulary_size or (256 if spec.dtype == 'uint8' else None)


def histogram_of(examples: Sequence[np.ndarray], levels: int) -> np.ndarray:
    """Counts how often each value occurs.

    Args:
      examples: [T, C] or [T] each, at least one, unsigned integers below `levels`.
      levels: how many different values a step may hold.

    Returns:
      int64 [C, levels]; C is 1 for [T].
    """
    rows = [values.reshape([len(values), -1]) for values in examples]
    together = rows[0] if len(rows) == 1 else np.concatenate(rows)
    counts = np.zeros([together.shape[1], levels], np.int64)
    for start in range(0, len(together), _CHUNK):
        for channel, column in zip(counts, together[start : start + _CHUNK].T, strict=True):
            found = np.bincount(column)
            channel[: len(found)] += found
    return counts


def entropies_of(histogram: np.ndarray) -> list[float] | None:
    """The entropy of each channel in nats; 0 for a channel that never changes.

    Args:
      histogram: int64 [C, levels].

    Returns:
      C numbers; None where nothing was counted.
    """
    return [_entropy(counts) for counts in histogram] if histogram.any() else None


def _entropy(counts: np.ndarray) -> float:
    # Many characters of a vocabulary are equally rare: one logarithm serves all of them.
    sizes, times = np.unique(counts[counts > 0], return_counts=True)
    with localcontext(Context(prec=_DIGITS)):
        total, found = Decimal(int(counts.sum())), Decimal(0)
        for size, many in zip(sizes.tolist(), times.tolist(), strict=True):
            found += many * size / total * (total / size).ln()
        return float(found)
