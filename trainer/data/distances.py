"""Which distances a readout is asked about.

A distance d is the number of steps between an anchor and what is asked: d = 1 is the last step that
was read (of the past), or the next one (of the future).
"""

import numpy as np

from pipelines.format import anchors

_R_DISTANCE, _P_DISTANCE = 104, 105


def draw_distances(
    *, seed: int, step: int | None, farthest: int, count: int, placement: str, future: bool
) -> np.ndarray:
    """Distances for one batch, one in each of `count` equal stretches of 1..farthest.

    A pure function of its arguments. Common to all rows of a batch: the readout then looks at each
    distance once, and many distances cost little.

    Args:
      seed: of the run.
      step: global step, from 0; None, for an evaluation: the middles of the stretches.
      farthest: of what is asked, at least 1.
      count: N.
      placement: 'uniform': stretches of equal length; 'log_uniform': of equal ratio, so that what
        is near is asked more often.
      future: whether they lie ahead: past and future are drawn apart.

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
