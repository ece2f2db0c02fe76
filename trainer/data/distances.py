"""The distances at which a readout predicts values.

A distance d is the number of steps between an anchor and the predicted step. In the past, d = 1 is
the last step that was read; in the future, d = 1 is the next step.
"""

import numpy as np

from pipelines.format import anchors

_R_DISTANCE, _P_DISTANCE = 104, 105


def draw_distances(
    *, seed: int, step: int | None, farthest: int, count: int, placement: str, future: bool
) -> np.ndarray:
    """Distances for one batch, one in each of `count` equal stretches of 1..farthest.

    A pure function of its arguments. All rows of a batch share the distances: the readout then
    computes each distance once, and many distances cost little.

    Args:
      seed: of the run.
      step: global step, from 0; None, for an evaluation: the middles of the stretches.
      farthest: the largest distance, at least 1.
      count: N.
      placement: 'uniform': stretches of equal length; 'log_uniform': stretches of equal ratio, so
        that near steps are asked more often.
      future: whether distances lie ahead; past and future have separate random streams.

    Returns:
      int32 [N], ascending.
    """
    stretch = np.arange(count)
    u = np.full([count], 0.5)
    if step is not None:
        stream = _P_DISTANCE if future else _R_DISTANCE
        bits = anchors.mix(seed, stream, step, stretch.astype(np.uint64))
        u = (bits >> np.uint64(11)) * 2.0**-53
    share = (stretch + u) / count
    if placement == 'log_uniform':
        found = np.floor((farthest + 1) ** share)
    else:
        found = 1 + np.floor(share * farthest)
    return np.clip(found, 1, farthest).astype(np.int32)
