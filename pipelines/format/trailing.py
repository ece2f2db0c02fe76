"""Steps behind every sequence that say nothing of it: its answer then lies out of reach.

Blank steps hold 0; noise is uniform over what a step can hold, and a pure function of (seed, id,
step, channel), so that records are the same wherever they are made. It can't change without a new
format version.
"""

import numpy as np
import tensorflow as tf

from pipelines.format import anchors
from pipelines.format.spec import SequenceSpec

# More would make an exported model, which holds one tail, too large for its format.
MOST_STEPS = 1_000_000
_STREAM = 31
# Noise of floats: the odd multiples of 1/2048 in -1..1, all of which float16 holds exactly.
_FLOATS = 2048


def tails(spec: SequenceSpec, id_hashes: np.ndarray) -> np.ndarray:
    """The trailing steps of examples.

    Args:
      spec: of the records; characters need their vocabulary.
      id_hashes: uint64 [N], from `anchors.id_hash`.

    Returns:
      [N, trailing_steps, C], or [N, trailing_steps] for text, of the spec's dtype.
    """
    shape = (len(id_hashes), spec.trailing_steps, *spec.step_shape)
    if spec.trailing == 'blank':
        return np.zeros(shape, spec.dtype)
    bits = anchors.mix(
        spec.trailing_seed,
        _STREAM,
        np.asarray(id_hashes, np.uint64)[:, np.newaxis, np.newaxis],
        np.arange(spec.trailing_steps, dtype=np.uint64)[:, np.newaxis],
        np.arange(spec.channels, dtype=np.uint64),
    )
    if spec.dtype == 'float16':
        numbers = anchors.uniform(bits, _FLOATS).astype(np.float32)
        return ((2 * numbers + 1 - _FLOATS) / _FLOATS).astype(np.float16)
    return anchors.uniform(bits, spec.vocabulary_size or 256).astype(spec.dtype).reshape(shape)


def tail_of_served(spec: SequenceSpec) -> np.ndarray:
    """[trailing_steps(, C)] of an item that a model is asked about: it has the empty id."""
    return tails(spec, np.array([anchors.id_hash('')], np.uint64))[0]


def with_trailing(steps: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Appends `tail_of_served` to a decoded item; works in graphs.

    Args:
      steps: [T, ...], of the spec's dtype; an item of no step stays so.
      spec: of the records.
    """
    if not spec.trailing_steps:
        return steps
    tail = tf.constant(tail_of_served(spec))
    if spec.fixed_length is None:
        tail = tail[: spec.trailing_steps * tf.minimum(tf.shape(steps)[0], 1)]
    return tf.concat([steps, tail], axis=0)
