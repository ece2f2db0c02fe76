"""A TFLite model beside the SavedModel, for one sequence at a time on small devices.

The file is kept only if its answers match those of the SavedModel; the model card says how they
were compared.
"""

import os
import re
import warnings

import tensorflow as tf

from pipelines.format.errors import first_line
from pipelines.format.spec import SequenceSpec
from trainer.devices import quiet
from trainer.serving import alike
from trainer.serving.module import ServingModule

FILE_NAME = 'model.tflite'
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
    # The interpreter warns that another package will replace it, which is not installed.
    with quiet.without(_GREETING), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        concrete = alike.signature(module, spec, _dtype(spec))
        try:
            converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module)
            content = converter.convert()
            found = _compare(content, concrete, spec)
        # The converter raises errors of many types, none of which a user can fix.
        except Exception as error:
            return f'No TFLite model: the converter cannot take this one ({first_line(error)}).'
    if found.fault is not None:
        return f'No TFLite model: {found.fault}.'
    with tf.io.gfile.GFile(path, 'wb') as file:
        file.write(content)
    return (
        f'`{os.path.basename(path)}` in the same folder is the signature `tokens` for TFLite, '
        f'batch 1, without `lengths` (all steps count), `inputs` {_dtype(spec)}: '
        f'{found.agreement}.'
    )


def _dtype(spec: SequenceSpec) -> str:
    """The input type: wider than the records' where TFLite lacks theirs; uint8 stays uint8."""
    if spec.kind == 'text':
        return 'int32'
    return 'float32' if spec.dtype == 'float16' else spec.dtype


def _compare(
    content: bytes, concrete: tf.types.experimental.ConcreteFunction, spec: SequenceSpec
) -> alike.Compared:
    runner = tf.lite.Interpreter(model_content=content).get_signature_runner()
    return alike.compare(
        lambda sequence: runner(inputs=sequence)['probabilities'],
        lambda sequence: concrete(tf.constant(sequence))['probabilities'].numpy(),
        spec,
        _dtype(spec),
    )
