"""Trailing steps: steps without information that are appended to every sequence.

A truncated gradient from the end of the sequence then does not reach the steps that matter. Blank
steps hold 0. Noise is uniform over all values that a step can hold. It is a pure function of (seed,
id, step, channel), so that records are the same wherever they are made. The function must not
change without a new format version.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipelines.format import anchors
from pipelines.format.spec import SequenceSpec

if TYPE_CHECKING:
    import tensorflow as tf

# An exported model holds one tail as a constant. A longer one would be too large for its format.
MOST_STEPS = 1_000_000
_STREAM = 31
# Noise of floats is an odd multiple of 1/2048 in -1..1: float16 holds all of these exactly.
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
    if spec.trailing_seed is None:  # Blank.
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
    """The trailing steps of an item that a served model is asked about: its id is ''.

    Returns:
      [trailing_steps, C], or [trailing_steps] for text.
    """
    return tails(spec, np.array([anchors.id_hash('')], np.uint64))[0]


def with_trailing(steps: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Appends `tail_of_served` to a decoded item; works in graphs.

    Args:
      steps: [T, ...], of the spec's dtype; an item without steps gets none.
      spec: of the records.
    """
    if not spec.trailing_steps:
        return steps
    # The job appends steps without TensorFlow, which takes seconds to load.
    import tensorflow as tf

    tail = tf.constant(tail_of_served(spec))
    if spec.fixed_length is None:
        tail = tail[: spec.trailing_steps * tf.minimum(tf.shape(steps)[0], 1)]
    return tf.concat([steps, tail], axis=0)
