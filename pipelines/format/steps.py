"""Steps of a sequence from outside of records, as records would store them."""

from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.spec import SequenceSpec


def checked_steps(spec: SequenceSpec, values: Any, *, name: str, least: int = 1) -> np.ndarray:
    """Steps as they are stored: [T, C] or [T] of the spec's dtype; floats are converted.

    Args:
      spec: of the sequences.
      values: the steps, some or all of a sequence.
      name: of the values, for the refusal.
      least: of T.

    Raises:
      LonghaulError: for another shape or dtype, values that are not finite, or unknown ids.
    """
    steps = as_array(name, values)
    if steps.ndim != 1 + len(spec.step_shape) or steps.shape[1:] != spec.step_shape:
        wanted = ', '.join(map(str, ('T', *spec.step_shape)))
        raise LonghaulError(f'{name}: has the shape {list(steps.shape)}; [{wanted}] is needed')
    if len(steps) < least:
        raise LonghaulError(f'{name}: has no step; at least one is needed')
    stored = np.dtype(spec.dtype)
    fits = steps.dtype.kind == 'f' if stored.kind == 'f' else steps.dtype == stored
    if not fits:
        kind = 'floats' if stored.kind == 'f' else spec.dtype
        raise LonghaulError(f'{name}: holds {steps.dtype}; convert it to {kind}')
    with np.errstate(over='ignore'):
        steps = steps.astype(stored)
    if stored.kind == 'f' and not np.isfinite(steps).all():
        raise LonghaulError(
            f'{name}: has values that are not finite in float16; leave them out, or scale them'
        )
    known = spec.vocabulary_size
    if known is not None and steps.max(initial=0) >= known:
        raise LonghaulError(f'{name}: has the id {steps.max()}; ids below {known} are needed')
    return steps


def as_array(name: str, values: Any) -> np.ndarray:
    """An array of whatever numpy makes one of.

    Raises:
      LonghaulError: if it makes none, as of lists of different length.
    """
    try:
        return np.asarray(values)
    except (ValueError, TypeError) as error:
        raise LonghaulError(f'{name}: is no array ({first_line(error)}); give one') from error
