"""The positions of anchors: a pure function of (seed, epoch, id), by one of several placements.

'uniform' is the placement of `pipelines.format.anchors`, which the job uses for stored anchors.
"""

import numpy as np

from pipelines.format import anchors
from pipelines.format.anchors import AnchorSets

_R_ANCHOR, _R_START, _P_ANCHOR = 106, 107, 108


def place_anchors(
    placement: str,
    *,
    seed: int,
    epoch: int,
    id_hashes: np.ndarray,
    lengths: np.ndarray,
    auxiliary_steps: np.ndarray,
    anchors_per_sequence: int,
) -> AnchorSets:
    """Draws the anchors of an epoch.

    Args:
      placement: 'uniform'; 'stratified': anchor k of K in the k-th of K equal stretches; 'early':
        uniform in the logarithm of the position, for sequences whose beginning matters: the state
        has to store it once and keep it longest.
      seed: of the run.
      epoch: from 0.
      id_hashes: uint64 [B].
      lengths: int [B], T_i.
      auxiliary_steps: int [B], L_i: r anchors lie in L_i..T_i, p anchors in 0..T_i-L_i-1.
      anchors_per_sequence: K.

    Returns:
      r_anchors, r_starts, p_anchors: int32 [B, K].
    """
    if placement == 'uniform':
        sets = anchors.sample_anchors(
            seed=seed,
            sets=[epoch],
            id_hashes=id_hashes,
            lengths=lengths,
            auxiliary_steps=auxiliary_steps,
            anchors_per_sequence=anchors_per_sequence,
        )
        return AnchorSets(*(np.ascontiguousarray(a[:, 0], np.int32) for a in sets))
    total = np.asarray(lengths, np.int64)[:, np.newaxis]
    steps = np.asarray(auxiliary_steps, np.int64)[:, np.newaxis]
    k = np.arange(anchors_per_sequence, dtype=np.uint64)

    def shares(stream: int) -> np.ndarray:
        """Uniform in 0..1, float64 [B, K]."""
        bits = anchors.mix(seed, stream, epoch, id_hashes[:, np.newaxis], k)
        return (bits >> np.uint64(11)) * 2.0**-53

    def draw(stream: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Integers in low..high, by the placement."""
        u = shares(stream)
        if placement == 'stratified':
            u = (k + u) / anchors_per_sequence
            found = low + np.floor(u * (high - low + 1))
        else:
            # low >= 0: the logarithm begins at 1.
            found = np.floor((low + 1) * ((high + 2) / (low + 1)) ** u) - 1
        return np.clip(found, low, high).astype(np.int64)

    r_anchors = draw(_R_ANCHOR, steps, total)
    # A start is uniform over its anchor's past, whatever the placement of the anchors.
    r_starts = np.floor(shares(_R_START) * (r_anchors - steps + 1)).astype(np.int64)
    p_anchors = draw(_P_ANCHOR, np.zeros_like(steps), np.maximum(total - steps - 1, 0))
    return AnchorSets(*(a.astype(np.int32) for a in (r_anchors, r_starts, p_anchors)))
