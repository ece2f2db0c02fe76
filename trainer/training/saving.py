"""Saves a model that was trained by a loop of one's own as the folder of a run."""

import dataclasses
import os

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from trainer.config import Config
from trainer.models.anchor_losses import modules_of
from trainer.run_dir.files import refusing, write_atomically
from trainer.run_dir.folder import GIN_FILE, ModelDir


def save(
    config: Config, info: RecordsInfo, model_dir: str | os.PathLike[str], **state: tf.Module
) -> str:
    """Writes a checkpoint, and the small files that an export reads.

    Args:
      config: of the run.
      info: of its data.
      model_dir: its folder.
      **state: `model` and `global_step`.

    Returns:
      The checkpoint's path, without suffix.

    Raises:
      LonghaulError: if the folder holds another run, or cannot be written to.
    """
    if not os.fspath(model_dir):
        raise LonghaulError("model_dir='': names no folder; name one, such as 'runs/own'")
    folder, text = ModelDir(model_dir, flag='model_dir'), bindings_of(config)
    path = folder / GIN_FILE
    if tf.io.gfile.exists(path):
        with tf.io.gfile.GFile(path) as file:
            if file.read() != text:
                raise LonghaulError(
                    f'model_dir={model_dir}: holds a run with another configuration; name another '
                    'folder'
                )
    folder.create()
    folder.check_data(info.spec, info.class_names, {}, change=True)
    with refusing(folder.checkpoints):
        losses = modules_of(config.objective)
        folder.remember_data(info.spec, info.class_names, losses=losses)
        write_atomically(path, text)
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(**state), folder.checkpoints, max_to_keep=1
        )
        return manager.save(checkpoint_number=int(state['global_step'].numpy()))


def bindings_of(config: Config) -> str:
    """A configuration as gin bindings, every value named."""
    lines = [
        f'{type(section).__name__}.{field.name} = {getattr(section, field.name)!r}\n'
        for section in vars(config).values()
        for field in dataclasses.fields(section)
    ]
    return ''.join(lines)
