"""Keeps the weights that were best on validation."""

import orbit
import tensorflow as tf
from official.core import train_utils

from trainer.architectures import Model
from trainer.model_dir import ModelDir


class KeepBest(orbit.Action):
    """An evaluation action: writes best/ when the accuracy is the highest so far."""

    def __init__(self, model: Model, folder: ModelDir, *, global_step: tf.Variable) -> None:
        self._folder, self._step = folder.best, global_step
        self._checkpoint = tf.train.Checkpoint(model=model, global_step=global_step)

    def __call__(self, logs: dict[str, float]) -> None:
        """Compares with what best/ holds, which outlives this process."""
        exporter = train_utils.BestCheckpointExporter(self._folder, 'accuracy', 'higher')
        step = int(self._step.numpy())
        exporter.maybe_export_checkpoint(self._checkpoint, dict(logs), step)
