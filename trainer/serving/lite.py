"""A TFLite model beside the SavedModel, for one sequence at a time on small devices.

The file is kept only if its answers match those of the SavedModel; the model card says how they
were compared.
"""

import os
import re
import warnings
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.format.errors import first_line
from pipelines.format.spec import SequenceSpec
from trainer.devices import quiet
from trainer.serving.module import ServingModule

FILE_NAME = 'model.tflite'
# Lengths to compare if sequences differ in length, and the number of sequences of each length.
_LENGTHS, _SEQUENCES = (1, 37, 300), 3
# The largest difference that Longhaul allows between two ways to compute the same answer.
_TOLERANCE = 1e-5
# All lines of the converter and the interpreter; a failure of theirs raises an error besides.
_GREETING = re.compile('')


def write_lite(path: str, module: ServingModule, spec: SequenceSpec) -> str:
    """Converts the signature `tokens` at batch 1, and compares its answers with the SavedModel's.

    Args:
      path: of the file, on any file system.
      module: of the export.
      spec: of what it reads.

    Returns:
      What was done, a sentence for the model card; the file exists only if its answers match.
    """
    function = tf.function(
        lambda inputs: {'probabilities': _probabilities(module, inputs)},
        input_signature=[
            tf.TensorSpec([1, spec.fixed_length, *spec.step_shape], _dtype(spec), name='inputs')
        ],
        autograph=False,
    )
    # The interpreter warns that another package will replace it, which is not installed.
    with quiet.without(_GREETING), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        concrete = function.get_concrete_function()
        try:
            converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
            content = converter.convert()
            worst, count = _compare(content, concrete, spec)
        # The converter raises errors of many types, none of which a user can fix.
        except Exception as error:
            return f'No TFLite model: the converter cannot take this one ({first_line(error)}).'
    if worst is None:
        return f'No TFLite model: on {count} random sequences its class differs at least once.'
    if not worst <= _TOLERANCE:  # Or NaN.
        return (
            f'No TFLite model: on {count} random sequences its probabilities differ by up to '
            f'{worst:.1e}.'
        )
    with tf.io.gfile.GFile(path, 'wb') as file:
        file.write(content)
    return (
        f'`{os.path.basename(path)}` in the same folder is the signature `tokens` for TFLite, '
        f'batch 1, without `lengths` (all steps count), `inputs` {_dtype(spec)}: on {count} '
        'random sequences the same class, and probabilities that differ by no more than '
        f'{worst:.1e}.'
    )


def _dtype(spec: SequenceSpec) -> str:
    """The input type: wider than the records' where TFLite lacks theirs; uint8 stays uint8."""
    if spec.kind == 'text':
        return 'int32'
    return 'float32' if spec.dtype == 'float16' else spec.dtype


def _probabilities(module: ServingModule, inputs: tf.Tensor) -> tf.Tensor:
    lengths = tf.reshape(tf.shape(inputs)[1], [1])
    return module.tokens({'inputs': inputs, 'lengths': lengths})['probabilities']


def _compare(
    content: bytes, concrete: tf.types.experimental.ConcreteFunction, spec: SequenceSpec
) -> tuple[float | None, int]:
    """The largest difference of a probability (None: a class differs), and how many sequences."""
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner()
    differences: list[float] = []
    for sequence in _sequences(spec):
        ours = concrete(tf.constant(sequence))['probabilities'].numpy()
        theirs = runner(inputs=sequence)['probabilities']
        differences.append(float(np.abs(ours - theirs).max()))
        if ours.argmax() != theirs.argmax():
            return None, len(differences)
    # NumPy's maximum is NaN if one difference is NaN.
    return float(np.max(differences)), len(differences)


def _sequences(spec: SequenceSpec) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for steps in _LENGTHS if spec.fixed_length is None else [spec.fixed_length]:
        for _ in range(_SEQUENCES):
            shape = [1, steps, *spec.step_shape]
            if spec.dtype == 'float16':
                yield random.standard_normal(shape).astype(_dtype(spec))
            else:
                yield random.integers(0, spec.vocabulary_size or 256, shape).astype(_dtype(spec))
