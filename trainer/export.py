"""Exports a SavedModel: raw image bytes or raw text in, class names and probabilities out.

Decoding is the job's own code inside the graph, so that what is served is what was trained on.
"""

import json
import os

import tensorflow as tf
from official.core import export_base

from pipelines.format import sequences
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.architectures import Model, make_model
from trainer.config import Config
from trainer.model_dir import ModelDir, versions, write_atomically

SIGNATURE = 'serving_default'


class ServingModule(export_base.ExportModule):
    """Classifies a batch of raw items; one unreadable item does not spoil its batch."""

    def __init__(self, model: Model, spec: SequenceSpec, class_names: tuple[str, ...]) -> None:
        super().__init__(spec, model, inference_step=lambda inputs, model: model.classify(inputs))
        self._spec = spec
        self._class_names = tf.constant(class_names)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name='data')], autograph=False)
    def serve(self, data: tf.Tensor) -> dict[str, tf.Tensor]:
        """Classifies raw items.

        Args:
          data: string [B]: the bytes of a PNG or JPEG file each, or UTF-8 text.

        Returns:
          'class_name' string [B] ('' for an unreadable item), 'class_index' int32 [B] (-1),
          'probabilities' float32 [B, classes] (zeros), 'readable' bool [B].
        """
        inputs, lengths, readable = self._decode(data)
        state = self.model.encode(self.model.sequences(inputs, lengths))
        probabilities = tf.nn.softmax(self.inference_step(state))
        probabilities = tf.where(
            readable[:, tf.newaxis], probabilities, tf.zeros_like(probabilities)
        )
        best = tf.argmax(probabilities, axis=-1, output_type=tf.int32)
        names = tf.gather(self._class_names, best)
        return {
            'class_name': tf.where(readable, names, tf.zeros_like(names)),
            'class_index': tf.where(readable, best, -tf.ones_like(best)),
            'probabilities': probabilities,
            'readable': readable,
        }

    def _decode(self, data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
        """Raw items -> right-aligned inputs, lengths (None: fixed), readable."""
        if self._spec.fixed_length is not None:
            shape = [self._spec.fixed_length, self._spec.channels]
            signature = (tf.TensorSpec(shape, tf.uint8), tf.TensorSpec([], tf.bool))
            inputs, readable = tf.map_fn(self._decode_one, data, fn_output_signature=signature)
            return inputs, None, readable
        dtype = tf.as_dtype(self._spec.dtype)
        signature = (tf.RaggedTensorSpec([None], dtype, ragged_rank=0), tf.TensorSpec([], tf.bool))
        ragged, readable = tf.map_fn(self._decode_one, data, fn_output_signature=signature)
        lengths = tf.cast(ragged.row_lengths(), tf.int32)
        # Right-aligned, as in training: reversing twice turns padding behind into padding before.
        reversed_rows = ragged[:, ::-1].to_tensor()
        return tf.reverse(reversed_rows, axis=[1]), lengths, readable

    def _decode_one(self, item: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        shape = [0]
        if self._spec.fixed_length is not None:
            shape = [self._spec.fixed_length, self._spec.channels]
        default = tf.zeros(shape, self._spec.dtype)
        # A plain decode would fail the whole batch; a dataset can drop the error.
        decoded = (
            tf.data.Dataset.from_tensors(item)
            .map(lambda x: (sequences.decode(x, self._spec), True))
            .ignore_errors()
        )
        fallback = tf.data.Dataset.from_tensors((default, False))
        steps, readable = decoded.concatenate(fallback).take(1).get_single_element()
        return steps, tf.logical_and(readable, tf.shape(steps)[0] > 0)

    def get_inference_signatures(
        self, function_keys: dict[str, str]
    ) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """The signatures by name; 'serve' is the only function."""
        return {name: self.serve.get_concrete_function() for name in function_keys.values()}


def export(config: Config, model_dir: str) -> str:
    """Exports the weights that an evaluation of this run uses.

    Args:
      config: of the run.
      model_dir: its folder.

    Returns:
      The new folder export/VERSION, VERSION being the global step of the weights. It appears whole
      or not at all.

    Raises:
      LonghaulError: if there is nothing to export, or this version exists already.
    """
    folder = ModelDir(model_dir)
    spec, class_names = folder.data()
    if not class_names:
        raise LonghaulError(
            f'--model_dir={model_dir}: was trained on records without classes, so it classifies '
            'nothing; start a run on labelled records from it with RunConfig.warm_start'
        )
    checkpoint_path = folder.evaluated_checkpoint()
    model = make_model(config, spec, classes=len(class_names))
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    folder.read_evaluated(checkpoint_path, model=model, global_step=step)
    version = int(step.numpy())
    target = folder / f'export/{version}'
    if version in versions(folder / 'export'):
        raise LonghaulError(
            f'{target} exists already: these weights are exported; remove it to export them again'
        )
    partial = folder / f'export/.{version}.partial'
    if tf.io.gfile.exists(partial):
        tf.io.gfile.rmtree(partial)
    module = ServingModule(model, spec, class_names)
    export_base.export(module, ['serve'], partial, timestamped=False)
    about = {'global_step': version, 'class_names': class_names, 'spec': spec.to_json()}
    tf.io.gfile.makedirs(os.path.join(partial, 'assets.extra'))
    write_atomically(os.path.join(partial, 'assets.extra', 'longhaul.json'), json.dumps(about))
    tf.io.gfile.rename(partial, target)
    return target
