"""Whether a model in another format gives the answers of the signature `tokens`.

Both are asked for the same random sequences, one at a time.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec
from trainer.serving.module import ServingModule

# Lengths to compare if sequences differ in length, and the number of sequences of each length.
_LENGTHS, _SEQUENCES = (1, 37, 300), 3
# The largest difference that Longhaul allows between two ways to compute the same answer.
_TOLERANCE = 1e-5
Ask = Callable[[np.ndarray], np.ndarray]


class Compared(NamedTuple):
    """What was found: the largest difference of a probability, and on how many sequences.

    `worst` is None if a class differs, and NaN if a probability is.
    """

    worst: float | None
    sequences: int

    @property
    def fault(self) -> str | None:
        """What differs, a clause; None if nothing does."""
        found = f'on {self.sequences} random sequences its'
        if self.worst is None:
            return f'{found} class differs at least once'
        if not self.worst <= _TOLERANCE:  # Or NaN.
            return f'{found} probabilities differ by up to {self.worst:.1e}'
        return None

    @property
    def agreement(self) -> str:
        """What agrees, a clause, if there is no fault."""
        return (
            f'on {self.sequences} random sequences the same class, and probabilities that differ '
            f'by no more than {self.worst:.1e}'
        )


def signature(
    module: ServingModule, spec: SequenceSpec, dtype: str
) -> tf.types.experimental.ConcreteFunction:
    """The function to agree with.

    Args:
      module: of the export.
      spec: of what it reads.
      dtype: of `inputs`.

    Returns:
      `inputs` [1, T(, C)] -> `probabilities` float32 [1, classes], all steps read.
    """

    def probabilities(inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        lengths = tf.reshape(tf.shape(inputs)[1], [1])
        found = module.tokens({'inputs': inputs, 'lengths': lengths})
        return {'probabilities': found['probabilities']}

    shape = [1, spec.fixed_length, *spec.step_shape]
    inputs = tf.TensorSpec(shape, dtype, name='inputs')
    return tf.function(probabilities, autograph=False).get_concrete_function(inputs)


def compare(ask: Ask, wanted: Ask, spec: SequenceSpec, dtype: str) -> Compared:
    """Compares two ways to ask for a sequence.

    Args:
      ask: [1, T(, C)] -> probabilities [1, classes].
      wanted: the same, which is right.
      spec: of the sequences.
      dtype: of the sequences.
    """
    differences: list[float] = []
    for sequence in _sequences(spec, dtype):
        theirs, ours = ask(sequence), wanted(sequence)
        differences.append(float(np.abs(ours - theirs).max()))
        if ours.argmax() != theirs.argmax():
            return Compared(None, len(differences))
    # NumPy's maximum is NaN if one difference is NaN.
    return Compared(float(np.max(differences)), len(differences))


def _sequences(spec: SequenceSpec, dtype: str) -> Iterator[np.ndarray]:
    random = np.random.default_rng(0)
    for steps in _LENGTHS if spec.fixed_length is None else [spec.fixed_length]:
        for _ in range(_SEQUENCES):
            shape = [1, steps, *spec.step_shape]
            if spec.dtype == 'float16':
                yield random.standard_normal(shape).astype(dtype)
            else:
                yield random.integers(0, spec.vocabulary_size or 256, shape).astype(dtype)
