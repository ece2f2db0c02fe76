"""Floats that float16 cannot store, with the place of the first one.

The decoder (`pipelines.format.npy`) refuses them for the same reasons; a graph could not tell where
they are without looking for them in every array.
"""

import numpy as np

from pipelines.job.items import Rejected


def check_floats(values: np.ndarray) -> None:
    """Checks floats [T, C] of any width and byte order.

    Raises:
      Rejected: for NaN, infinite values, and values beyond the range of float16.
    """
    finite = np.isfinite(values)
    if not finite.all():
        raise Rejected('the array holds NaN or infinite values', _first(values, finite))
    with np.errstate(over='ignore'):
        # By way of float32, as the decoder does.
        fits = np.isfinite(values.astype(np.float32).astype(np.float16))
    if not fits.all():
        raise Rejected('values beyond the range of float16', _first(values, fits))


def _first(values: np.ndarray, good: np.ndarray) -> str:
    step, channel = np.argwhere(~good)[0].tolist()
    return f'[{step}, {channel}] is {values[step, channel]:g}'
