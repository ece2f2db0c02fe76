"""Runs and configurations for Python programs; `longhaul` re-exports them."""

from collections.abc import Sequence

import tensorflow as tf

from trainer import bindings
from trainer.config import Config
from trainer.data.own import OwnData, info_of
from trainer.models.architectures import make_model
from trainer.run_dir.folder import GIN_FILE, ModelDir
from trainer.run_dir.operative import check_values
from trainer.serving import export
from trainer.training.reader import Reader


def load_config(
    *gin_params: str, gin_files: Sequence[str] = (), records: str | None = None
) -> Config:
    """The settings of a run.

    Args:
      *gin_params: bindings such as 'RunConfig.seed=1' or 'BATCH_SIZE=64'; they win over the files.
      gin_files: experiment files, such as 'gin/digits/r_lstm.gin'; none: the defaults of
        `trainer.config`.
      records: folder of records.

    Raises:
      LonghaulError: for a missing file, a misspelt name or a value out of range.
    """
    return bindings.load(gin_files=list(gin_files), gin_params=list(gin_params), records=records)


def load_run(model_dir: str) -> Reader:
    """The model of a run, with the weights that its evaluation and its export use.

    Raises:
      LonghaulError: if the folder holds no run, or one that cannot be read.
    """
    folder = ModelDir(model_dir, flag='model_dir')
    spec, class_names = folder.data()
    config, path = _config_of(folder), folder.evaluated_checkpoint()
    model = make_model(config, spec, classes=max(1, len(class_names)))
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    folder.read_evaluated(path, model=model, global_step=step)
    return Reader(config, OwnData(info_of(spec, class_names)), model)


def export_run(model_dir: str, *, tflite: bool = False) -> str:
    """Exports a run as a SavedModel; see `trainer.serving.export.export`.

    Returns:
      The new folder, model_dir/export/STEP.

    Raises:
      LonghaulError: if there is nothing to export, or these weights are exported already.
    """
    config = _config_of(ModelDir(model_dir, flag='model_dir'))
    return export.export(config, model_dir, tflite=tflite, say=lambda _: None)


def _config_of(folder: ModelDir) -> Config:
    check_values(folder / GIN_FILE)
    return bindings.load(gin_files=[folder / GIN_FILE], gin_params=[])
