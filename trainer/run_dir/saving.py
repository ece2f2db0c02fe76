"""Checkpoints that a full disk does not end a run with."""

import contextlib
from collections.abc import Callable

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line


class CheckpointManager(tf.train.CheckpointManager):
    """Saves as TensorFlow's own does; what cannot be written between others is tried again.

    A checkpoint is whole before `checkpoint`, the file that names the latest one, is replaced: a
    process that dies inside of `save` leaves the one before it as the latest.
    """

    def __init__(
        self, checkpoint: tf.train.Checkpoint, *, say: Callable[[str], None], **settings: object
    ) -> None:
        """Takes what tf.train.CheckpointManager takes, and a place for a line to people."""
        super().__init__(checkpoint, **settings)
        self._say = say

    def save(
        self,
        checkpoint_number: int | tf.Tensor | None = None,
        check_interval: bool = True,
        options: tf.train.CheckpointOptions | None = None,
    ) -> str | None:
        """Saves if it is time to, or in any case without `check_interval`.

        Raises:
          LonghaulError: if the latter cannot be written.
        """
        number, before = int(checkpoint_number or 0), self._last_checkpoint_step
        try:
            return super().save(checkpoint_number, check_interval, options)
        except (tf.errors.OpError, OSError) as error:
            # Else a later save at the same step would think that it is done.
            self._last_checkpoint_step: int | None = before
            self._remove_remains(number)
            reason = first_line(error)
            fact = f'{self.directory}: the checkpoint of step {number} could not be'
            if check_interval:
                self._say(f'{fact} written ({reason}); training goes on, and so do the tries')
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
