"""Functions that keep rarely used parts of a graph apart from the rest."""

from collections.abc import Callable

import tensorflow as tf


def apart(function: Callable) -> Callable:
    """Makes a function that is one node in every graph that calls it.

    TensorFlow visits all nodes of a branch, even if the branch is not taken. For a small PNG,
    visits to the hundreds of nodes for rare kinds of files would take longer than the decoding.

    Args:
      function: takes and returns tensors; it is traced once per signature.

    Returns:
      A function with the same arguments and results, in graphs and outside of them.
    """
    return tf.function(function, autograph=False, experimental_attributes={'_noinline': True})
