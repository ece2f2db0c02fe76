"""Batches whose loss or gradient is not finite, or whose loss is too large: skipped and recorded.

The order of a run is a function of (seed, epoch, step, skipped): a step trains on the batch at
position step + skipped of the endless order.
"""

import json

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.data.batches import SplitInput
from trainer.data.order import TrainingOrder
from trainer.run_dir.files import write_atomically
from trainer.run_dir.folder import SKIPPED_FILE, ModelDir
from trainer.run_dir.small_files import read_text


class SkippedBatches:
    """The batches that a run has skipped."""

    def __init__(
        self,
        folder: ModelDir,
        *,
        split: SplitInput,
        order: TrainingOrder,
        count: tf.Variable,
        most: int,
    ) -> None:
        """Continues from the batches that the run has skipped before.

        Args:
          folder: of the run.
          split: of the examples.
          order: of the batches.
          count: scalar int64, checkpointed: how many have been skipped.
          most: how many a run may skip.
        """
        self._path, self._split, self._order = folder / SKIPPED_FILE, split, order
        self._count, self._most = count, most

    def add(self, positions: list[int], step: int) -> None:
        """Records skipped batches.

        Args:
          positions: of the batches in the order.
          step: the global step that the run stands at.

        Raises:
          LonghaulError: if there are too many by now.
        """
        before = self._lines()
        lines = [self._line(position, step) for position in positions]
        write_atomically(self._path, ''.join(f'{line}\n' for line in before + lines))
        self._count.assign_add(len(positions))
        total = int(self._count.numpy())
        if total > self._most:
            raise LonghaulError(
                f'RunConfig.max_skipped_batches={self._most}: {total} batches had a loss or a '
                f'gradient that is not finite or too large, the last ones at step {step}; '
                f'{self._path} names their examples. Lower OptimizerConfig.learning_rate or '
                'OptimizerConfig.global_clipnorm (with --allow_changes), raise '
                'RunConfig.max_skipped_batches, or look at these examples; the same command goes '
                'on from the last checkpoint'
            )

    def _lines(self) -> list[str]:
        """The lines up to the checkpoint that the run has resumed from, without later ones."""
        if not tf.io.gfile.exists(self._path):
            return []
        text = read_text(self._path, without='it begins anew')
        return text.splitlines()[: int(self._count.numpy())]

    def _line(self, position: int, step: int) -> str:
        ids = self._split.ids(self._order.at(position).rows)
        epoch = self._order.epoch_of(position)
        return json.dumps({'position': position, 'epoch': epoch, 'step': step, 'ids': ids})
