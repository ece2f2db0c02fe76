"""How much of the past a linear probe reads from a state, by distance.

The probe looks at the states alone. So it measures auxiliary losses, a plain LSTM, a GRU and full
BPTT in the same way. After Alain and Bengio 2016, "Understanding intermediate layers using linear
classifier probes".
"""

from typing import NamedTuple

import numpy as np

from pipelines.format.errors import LonghaulError

# The most sequences: probes are fitted to one half and judged by the other.
MOST_ROWS = 2_000
# Fewer sequences are no measurement.
FEWEST_ROWS = 20
# A curve has about this many points.
POINTS = 16
_DISTANCES = 48
# A probe tells apart this many tokens, the most frequent ones; all others are one more class.
_TOKENS = 63
# Ridge penalties, as shares of a feature's mean square; the one with the least leave-one-out error
# on the fitted half is taken.
_PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)


class MemoryCurve(NamedTuple):
    """The share of the past's variance that a probe explains, by distance.

    `distances` float [N]: steps back from the end, 1 is the last step; each is the middle of the
    distances that are pooled. `explained` float [N] in 0..1: the share of the variance explained on
    sequences that the probe was not fitted to. 1 means all, 0 no more than the average explains,
    NaN that all sequences are alike there; for tokens it is the variance of their one-hot vectors.
    `total`: the share over all distances together.
    """

    distances: np.ndarray
    explained: np.ndarray
    total: float


def probed_distances(longest: int) -> np.ndarray:
    """Evenly spread over 1..longest, int [N] ascending."""
    count = min(_DISTANCES, longest)
    return np.unique(np.linspace(1, longest, count).round().astype(np.int64))


def memory_curve(
    states: np.ndarray, past: np.ndarray, distances: np.ndarray, *, pooled: int = 1
) -> MemoryCurve:
    """Fits a ridge regression for each distance to half of the sequences, judges by the other half.

    Args:
      states: float [n, U], where n sequences end.
      past: float [n, N, C] values or int [n, N] tokens: the step at each distance.
      distances: int [N], ascending.
      pooled: how many neighbouring distances share a point of the curve. A single step may hardly
        vary, and then its share means little.

    Raises:
      LonghaulError: for shapes that do not fit each other, or fewer than two sequences.
    """
    fits = states.ndim == 2 and past.ndim in (2, 3) and len(states) >= 2
    if not fits or past.shape[:2] != (len(states), len(distances)):
        raise LonghaulError(
            f'states, past: have the shapes {list(states.shape)} and {list(past.shape)} for '
            f'{len(distances)} distances; [n, U] and [n, N, C] or [n, N] are needed, n >= 2'
        )
    half = len(states) // 2
    targets = _one_hot(past) if past.ndim == 2 else past.astype(np.float64)
    n, count, width = targets.shape
    fitted, judged = np.split(targets.reshape(n, count * width), [half])
    features, features_judged = np.split(_features(states, half), [half])
    mean = fitted.mean(axis=0)
    said = mean + features_judged @ _ridge(features, fitted - mean)
    errors = (judged - said) ** 2, (judged - mean) ** 2
    missed, varies = (x.reshape(n - half, count, width).sum(axis=(0, 2)) for x in errors)
    first = np.arange(0, count, pooled)
    missed, varies = (np.add.reduceat(x, first) for x in (missed, varies))
    middles = np.array([part.mean() for part in np.split(distances, first[1:])])
    # A variance that may be rounding alone counts as none.
    known = varies > 1e-12 * max(1.0, varies.max(initial=0))
    explained = np.where(known, 1 - missed / np.where(known, varies, 1), np.nan)
    total = 1 - missed[known].sum() / varies[known].sum() if known.any() else 0.0
    return MemoryCurve(middles, np.maximum(explained, 0), max(0.0, float(total)))


def _ridge(features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Weights [F, O] for the penalty with the least leave-one-out error, on centred data."""
    u, s, vt = np.linalg.svd(features, full_matrices=False)
    projected, kept, least = u.T @ targets, np.ones_like(s), np.inf
    for penalty in _PENALTIES:
        share = s**2 / (s**2 + penalty * len(features))
        left = 1 - (u**2) @ share  # Allen 1974: errors of points that are left out.
        error = (
            ((targets - u @ (share[:, np.newaxis] * projected)) / left[:, np.newaxis]) ** 2
        ).sum()
        if error < least:
            least, kept = error, share
    return vt.T @ ((kept / np.maximum(s, 1e-12))[:, np.newaxis] * projected)


def _features(states: np.ndarray, half: int) -> np.ndarray:
    """States with mean 0 and variance 1 over the first half, float64 [n, U]."""
    states = states.astype(np.float64)
    mean, deviation = states[:half].mean(axis=0), states[:half].std(axis=0)
    return (states - mean) / np.maximum(deviation, 1e-6)


def _one_hot(tokens: np.ndarray) -> np.ndarray:
    """Tokens [n, N] -> [n, N, 64 at most]."""
    names, places, counts = np.unique(tokens, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind='stable')
    rank = np.empty(len(names), np.int64)
    rank[order] = np.arange(len(names))
    rank = np.minimum(rank, _TOKENS)
    return np.eye(rank.max(initial=0) + 1)[rank[places].reshape(tokens.shape)]
