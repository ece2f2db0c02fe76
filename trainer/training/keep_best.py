"""Keeps the weights that were best on validation."""

import orbit
import tensorflow as tf

from trainer.models.protocol import Model
from trainer.run_dir.files import refusing
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.validations import ValidationLog


class KeepBest(orbit.Action):
    """An evaluation action: writes best/ when the accuracy is the highest so far.

    Without labelled examples there is no accuracy, and no best/.

    The decision depends only on the validations before this one, as `validations.jsonl` holds them.
    So a run that was killed, and validates this step again, decides the same.
    """

    def __init__(
        self, model: Model, folder: ModelDir, *, global_step: tf.Variable, log: ValidationLog
    ) -> None:
        self._step, self._log = global_step, log
        self._manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=model, global_step=global_step), folder.best, max_to_keep=1
        )

    def __call__(self, logs: dict[str, float]) -> None:
        """Compares with the validations before."""
        step = int(self._step.numpy())
        if logs.get('labelled') and self._log.is_best(logs['accuracy'], step):
            with refusing(self._manager.directory):
                self._manager.save(checkpoint_number=step)
