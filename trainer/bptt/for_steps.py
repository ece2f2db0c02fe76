"""The loop over steps that all recurrent parts use."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf


def for_steps(
    steps: int | tf.Tensor,
    body: Callable[..., tuple],
    *variables: Any,
    longest: int | tf.Tensor | None = None,
) -> tuple:
    """Calls `variables = body(t, *variables)` for t = 0, ..., steps - 1, one after another.

    Args:
      steps: number of calls; int32 if it is a tensor.
      body: takes the step, an int32 tensor, and the variables; returns them in the same structure.
      *variables: tensors, TensorArrays, or nests of them.
      longest: an upper bound of `steps`; None: `steps` itself.

    Returns:
      The variables after the last step.
    """
    _, *variables = tf.while_loop(
        lambda t, *_: t < steps,
        lambda t, *variables: (t + 1, *body(t, *variables)),
        (tf.constant(0), *variables),
        # Steps depend on each other: preparing several at once costs memory and gains nothing.
        parallel_iterations=1,
        maximum_iterations=steps if longest is None else longest,
    )
    return tuple(variables)
