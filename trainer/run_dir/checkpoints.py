"""Saves checkpoints; a full disk does not end a run that is still training."""

import contextlib
from collections.abc import Callable

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line


class CheckpointManager(tf.train.CheckpointManager):
    """TensorFlow's manager, except that a failed save during training is tried again later.

    A checkpoint is written completely before `checkpoint`, the file that names the latest one, is
    replaced. So a process that dies in `save` leaves the previous checkpoint as the latest.
    """

    def __init__(
        self, checkpoint: tf.train.Checkpoint, *, say: Callable[[str], None], **settings: object
    ) -> None:
        """Takes the arguments of tf.train.CheckpointManager, and `say`, which takes a message."""
        super().__init__(checkpoint, **settings)
        self._say = say

    def save(
        self,
        checkpoint_number: int | tf.Tensor | None = None,
        check_interval: bool = True,
        options: tf.train.CheckpointOptions | None = None,
    ) -> str | None:
        """Saves if the interval has passed; without `check_interval`, always.

        Raises:
          LonghaulError: if a checkpoint cannot be written without `check_interval`.
        """
        number, before = int(checkpoint_number or 0), self._last_checkpoint_step
        try:
            return super().save(checkpoint_number, check_interval, options)
        except (tf.errors.OpError, OSError) as error:
            # Reset, or a later save at the same step would be skipped as done.
            self._last_checkpoint_step: int | None = before
            self._remove_remains(number)
            reason = first_line(error)
            fact = f'{self.directory}: the checkpoint of step {number} could not be'
            if check_interval:
                self._say(f'{fact} written ({reason}); training goes on, the next loop tries again')
                return None
            raise LonghaulError(
                f'{fact} written ({reason}); make room, then the same command goes on from '
                f'{tf.train.latest_checkpoint(self.directory) or "the start"}'
            ) from error

    def _remove_remains(self, number: int) -> None:
        if tf.train.latest_checkpoint(self.directory) == f'{self._prefix}-{number}':
            return
        for end in ('.*', '_temp*'):
            for path in tf.io.gfile.glob(f'{self._prefix}-{number}{end}'):
                with contextlib.suppress(tf.errors.OpError):
                    (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)
