"""Batches whose loss or gradient is no number, or explodes: left out, counted, written down.

The order of a run is a function of (seed, epoch, step, skipped): the batch at position
step + skipped of the endless order is the one that the step trains on.
"""

import json

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.data.batches import SplitInput
from trainer.data.order import TrainingOrder
from trainer.run_dir.folder import SKIPPED_FILE, ModelDir, write_atomically


class SkippedBatches:
    """The batches that a run has left out."""

    def __init__(
        self,
        folder: ModelDir,
        *,
        split: SplitInput,
        order: TrainingOrder,
        count: tf.Variable,
        most: int,
    ) -> None:
        """Takes up what the run has skipped before.

        Args:
          folder: of the run.
          split: whose examples they are.
          order: of the batches.
          count: scalar int64, checkpointed: how many have been skipped.
          most: how many a run may skip.
        """
        self._path, self._split, self._order = folder / SKIPPED_FILE, split, order
        self._count, self._most = count, most

    def add(self, positions: list[int], step: int) -> None:
        """Writes batches down.

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
                f'{total} batches had a loss or a gradient that is no number or too large, the '
                f'last ones at step {step} (RunConfig.max_skipped_batches={self._most}); '
                f'{self._path} names their examples. Lower OptimizerConfig.learning_rate or '
                'OptimizerConfig.global_clipnorm (with --allow_changes), allow more, or look at '
                'these examples; the same command goes on from the last checkpoint'
            )

    def _lines(self) -> list[str]:
        """Those of the checkpoint that the run has resumed from, no later ones."""
        if not tf.io.gfile.exists(self._path):
            return []
        with tf.io.gfile.GFile(self._path) as file:
            return file.read().splitlines()[: int(self._count.numpy())]

    def _line(self, position: int, step: int) -> str:
        ids = self._split.ids(self._order.at(position).rows)
        epoch = self._order.epoch_of(position)
        return json.dumps({'position': position, 'epoch': epoch, 'step': step, 'ids': ids})
