"""Payload -> stored values, by the code that the exported model contains; says why it cannot be."""

import contextlib
import functools
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.pixels import steps_from_pixels
from pipelines.format.spec import SequenceSpec
from pipelines.job.items import Payload, Rejected


def set_up_worker() -> None:
    """Leaves the other cores to the other workers, and accelerators to those who train."""
    # A process that has computed before keeps what it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)
    with contextlib.suppress(RuntimeError):
        tf.config.set_visible_devices([], 'GPU')


@functools.lru_cache(maxsize=4)
def _functions(spec: SequenceSpec) -> tuple[Callable, Callable]:
    """Traced once per process: an eager call per operation costs more than the work itself."""
    of_bytes = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    of_pixels = tf.function(
        lambda pixels: steps_from_pixels(pixels, spec),
        input_signature=[tf.TensorSpec([None, None, 1], tf.uint8)],
    )
    return of_bytes, of_pixels


def encode(payload: Payload, spec: SequenceSpec) -> np.ndarray:
    """Decodes one payload.

    Returns:
      [T, C] or [T], of the spec's dtype.

    Raises:
      Rejected: with the reason.
    """
    of_bytes, of_pixels = _functions(spec)
    if payload.pixels is not None:
        return of_pixels(payload.pixels).numpy()
    if spec.kind == 'text' and not payload.data.strip():
        raise Rejected('the text is empty')
    try:
        return of_bytes(payload.data).numpy()
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError) as error:
        raise Rejected(*sequences.reason_of(error, spec)) from error
