"""Confidence interval of an accuracy."""

import math

_Z95 = 1.959963984540054


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927): within 0..1, and valid near both ends.

    Raises:
      ValueError: unless 0 <= correct <= total and total > 0.
    """
    if not 0 <= correct <= total or total == 0:
        raise ValueError(f'correct={correct}, total={total}: 0 <= correct <= total, total > 0.')
    share = correct / total
    z2 = _Z95 * _Z95 / total
    centre = (share + z2 / 2) / (1 + z2)
    half = _Z95 / (1 + z2) * math.sqrt(share * (1 - share) / total + z2 / (4 * total))
    return max(0.0, centre - half), min(1.0, centre + half)
