"""Parts of a graph that few files need, kept out of the way of all others."""

from collections.abc import Callable

import tensorflow as tf


def apart(function: Callable) -> Callable:
    """A function that stays one call in every graph that it becomes part of.

    TensorFlow visits each node of a branch that is not taken; the hundreds of nodes for rare kinds
    of files would cost a small PNG more than its own decoding.

    Args:
      function: of tensors, traced once per signature.

    Returns:
      The same for callers, in graphs and outside of them.
    """
    return tf.function(function, autograph=False, experimental_attributes={'_noinline': True})
