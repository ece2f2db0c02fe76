"""The random values of a batch: anchors, distances, and which decoder inputs are fed.

All are functions of (seed, epoch, step, id), so no state is kept.
"""

import dataclasses

import numpy as np

from pipelines.format import anchors
from pipelines.format.spec import SequenceSpec
from trainer.config import ObjectiveConfig
from trainer.data.distances import draw_distances
from trainer.data.placement import place_anchors

_COINS = 103


@dataclasses.dataclass(frozen=True)
class Drawing:
    """Draws for sequences of one kind; `seed` is that of the run."""

    spec: SequenceSpec
    objective: ObjectiveConfig
    seed: int

    @property
    def anchored_steps(self) -> int:
        """L of the anchors: the steps of a decoder or auxiliary LSTM, or of a readout's window."""
        config, total = self.objective, self.spec.fixed_length
        if config.spans_steps:
            return config.auxiliary_steps
        # One step less than the sequence: a window of all steps could stand in one place only.
        longest = config.auxiliary_bptt_steps if total is None else max(1, total - 1)
        return min(config.auxiliary_bptt_steps, longest)

    def row_steps(self, lengths: np.ndarray) -> np.ndarray:
        """L_i of rows whose lengths are int64 [B]: int64 [B]; anchors keep this distance."""
        fixed = self.spec.fixed_length is not None
        return anchors.auxiliary_length(lengths, self.anchored_steps, fixed_length=fixed)

    def anchors(self, id_hashes: np.ndarray, lengths: np.ndarray, epoch: int) -> list[np.ndarray]:
        """Anchor set `epoch` of each row: int32 [B, K] each of r_anchors, r_starts, p_anchors.

        All are 0 if no loss uses them: `auxiliary_steps` need not fit the sequences then.

        Args:
          id_hashes: uint64 [B].
          lengths: int64 [B].
          epoch: from 0.
        """
        if not self.objective.anchored:
            return self.no_anchors(len(id_hashes))
        return list(
            place_anchors(
                self.objective.anchor_placement,
                seed=self.seed,
                epoch=epoch,
                id_hashes=id_hashes,
                lengths=lengths,
                auxiliary_steps=self.row_steps(lengths),
                anchors_per_sequence=self.objective.anchors_per_sequence,
            )
        )

    def no_anchors(self, rows: int) -> list[np.ndarray]:
        """Zeros in the place of anchors: three times int32 [rows, K]."""
        return [np.zeros([rows, self.objective.anchors_per_sequence], np.int32)] * 3

    def distances(self, rows: int, *, total: int, step: int | None) -> list[np.ndarray]:
        """Distances back and ahead, int32 [B, N] each, the same in all rows; N = 0: no readout.

        Args:
          rows: B.
          total: steps of the padded batch.
          step: global step; None, for an evaluation: the middles of the stretches.
        """
        config, found = self.objective, []
        ahead = min(config.auxiliary_steps, total)
        for name, farthest in (('reconstruction', total), ('prediction', ahead)):
            asked = np.zeros([0], np.int32)
            if name in config.readouts:
                asked = draw_distances(
                    seed=self.seed,
                    step=step,
                    farthest=farthest,
                    count=config.readout_distances,
                    placement=config.distance_placement,
                    future=name == 'prediction',
                )
            found.append(np.tile(asked, [rows, 1]))
        return found

    def fed(self, id_hashes: np.ndarray, step: int | None) -> np.ndarray:
        """Which decoder inputs are the truth: bool [B, K, L-1], or [B, K, 0] when all are.

        Args:
          id_hashes: uint64 [B].
          step: global step; None, for an evaluation: the rate that training ends with.
        """
        config, now = self.objective, step or 0
        rate = config.evaluated_forcing_rate if step is None else config.teacher_forcing_at(now)
        steps = 0 if config.always_fed else config.auxiliary_steps - 1
        cells = np.arange(config.anchors_per_sequence * steps, dtype=np.uint64)
        coins = anchors.mix(self.seed, _COINS, now, id_hashes[:, np.newaxis], cells)
        fed = (coins >> np.uint64(11)) * 2.0**-53 < rate
        return fed.reshape(len(id_hashes), config.anchors_per_sequence, steps)
