"""Runs and configurations for Python programs; `longhaul` re-exports them."""

import os
from collections.abc import Sequence

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer import bindings
from trainer.config import Config
from trainer.data.own import OwnData, info_of
from trainer.models import anchor_losses
from trainer.models.architectures import make_model
from trainer.run_dir.folder import GIN_FILE, ModelDir
from trainer.run_dir.operative import check_values
from trainer.serving import export
from trainer.training.reader import Reader

Path = str | os.PathLike[str]


def load_config(
    *gin_params: str, gin_files: Sequence[Path] = (), records: Path | None = None
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
    if isinstance(gin_files, str | os.PathLike):
        raise LonghaulError(f'gin_files={gin_files!r}: a list is needed, as [{gin_files!r}]')
    others = [binding for binding in gin_params if not isinstance(binding, str)]
    if others:
        raise LonghaulError(
            f"binding {others[0]!r}: texts are needed, one argument each, as 'BATCH_SIZE=64'"
        )
    return bindings.load(
        gin_files=[os.fspath(path) for path in gin_files],
        gin_params=list(gin_params),
        records=None if records is None else os.fspath(records),
    )


def load_run(model_dir: Path) -> Reader:
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


def export_run(model_dir: Path, *, tflite: bool = False, onnx: bool = False) -> str:
    """Exports a run as a SavedModel; see `trainer.serving.export.export`.

    Returns:
      The new folder, model_dir/export/STEP.

    Raises:
      LonghaulError: if there is nothing to export, or these weights are exported already.
    """
    folder = ModelDir(model_dir, flag='model_dir')
    # It refuses a folder that holds no run.
    folder.data()
    config = _config_of(folder)
    return export.export(config, folder.path, tflite=tflite, onnx=onnx, say=lambda _: None)


def _config_of(folder: ModelDir) -> Config:
    check_values(folder / GIN_FILE)
    config, modules = bindings.load(gin_files=[folder / GIN_FILE], gin_params=[]), folder.losses()
    weights = config.objective.anchor_weights
    for name in sorted(weights.keys() - anchor_losses.ANCHOR_LOSSES.keys()):
        # Not imported here: the folder may come from somebody else.
        module = modules.get(name, 'that its gin file imports')
        raise LonghaulError(
            f'model_dir={folder.path}: was trained with a loss {name!r} from outside of Longhaul; '
            f'import the module {module} first, which registers it'
        )
    return config
