"""Exports the weights of a run: a SavedModel and the files beside it, in a versioned folder."""

import contextlib
import json
from collections.abc import Callable, Iterator

import tensorflow as tf
from official.core import export_base

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.config import Config
from trainer.models.architectures import make_model
from trainer.run_dir.files import refusing, write_atomically
from trainer.run_dir.folder import ModelDir, versions
from trainer.serving import lite, onnx_file, warmup
from trainer.serving.card import write_card
from trainer.serving.module import ServingModule

EXTRA_FOLDER, ABOUT_FILE, CARD_FILE = 'assets.extra', 'longhaul.json', 'README.md'


def export(
    config: Config,
    model_dir: str,
    *,
    tflite: bool = True,
    onnx: bool = False,
    say: Callable[[str], None] = print,
) -> str:
    """Exports the weights that an evaluation of this run uses.

    Args:
      config: of the run.
      model_dir: its folder.
      tflite: whether a TFLite model is wanted beside it, if it answers alike.
      onnx: whether an ONNX model is wanted beside it.
      say: takes a line for people, if a checkpoint is damaged.

    Returns:
      The new folder export/VERSION, VERSION being the global step of the weights. It appears whole
      or not at all.

    Raises:
      LonghaulError: if there is nothing to export, this version exists already, it cannot be
        written, or the ONNX model that is wanted cannot be had.
    """
    folder = ModelDir(model_dir)
    spec, class_names = folder.data()
    if not class_names:
        raise LonghaulError(
            f'--model_dir={model_dir}: was trained on records without classes, so it classifies '
            'nothing; start a run on labelled records from it with RunConfig.warm_start'
        )
    folder.heal(say=say)
    checkpoint = folder.evaluated_checkpoint()
    model = make_model(config, spec, classes=len(class_names))
    if onnx:
        onnx_file.need_onnx(model)
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    folder.read_evaluated(checkpoint, model=model, global_step=step)
    version = int(step.numpy())
    target = folder / f'export/{version}'
    if version in versions(folder / 'export'):
        raise LonghaulError(
            f'{target} exists already: these weights are exported; remove it to export them again'
        )
    partial = folder / f'export/.{version}.partial'
    with refusing(partial), _whole_or_not_at_all(partial):
        module = ServingModule(model, spec, class_names)
        names = module.signature_names()
        export_base.export(module, {n: n for n in names}, partial, timestamped=False)
        others = ['No TFLite model: --notflite.']
        if tflite:
            path = tf.io.gfile.join(partial, lite.FILE_NAME)
            others = [lite.write_lite(path, module, spec)]
        if onnx:
            path = tf.io.gfile.join(partial, onnx_file.FILE_NAME)
            others.append(onnx_file.write_onnx(path, module, spec))
        text = write_card(
            folder,
            config,
            spec,
            class_names,
            version=version,
            checkpoint=checkpoint,
            signatures={name: module.inputs_of(name) for name in names},
            others=others,
        )
        write_atomically(tf.io.gfile.join(partial, CARD_FILE), text)
        _write_extra(partial, config, spec, class_names, version=version)
        tf.io.gfile.rename(partial, target)
    return target


@contextlib.contextmanager
def _whole_or_not_at_all(partial: str) -> Iterator[None]:
    """Removes files that a crashed process has left and, after an error, those of this export."""
    if tf.io.gfile.exists(partial):
        tf.io.gfile.rmtree(partial)
    try:
        yield
    except BaseException:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.gfile.rmtree(partial)
        raise


def _write_extra(
    path: str,
    config: Config,
    spec: SequenceSpec,
    class_names: tuple[str, ...],
    *,
    version: int,
) -> None:
    """Writes the files that clients and servers read beside the graph."""
    extra = tf.io.gfile.join(path, EXTRA_FOLDER)
    tf.io.gfile.makedirs(extra)
    about = {
        'global_step': version,
        'class_names': class_names,
        'spec': spec.to_json(),
        'auxiliary_steps': config.objective.auxiliary_steps,
    }
    text = json.dumps(about, ensure_ascii=False)
    write_atomically(tf.io.gfile.join(extra, ABOUT_FILE), text)
    warmup.write_warmup(tf.io.gfile.join(extra, warmup.FILE_NAME), spec)
