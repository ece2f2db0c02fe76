"""Looks for floats that float16 cannot store, and names the first one.

The decoder (`pipelines.format.npy`) refuses such arrays too. It cannot say where the value is: its
graph would have to search every array.
"""

import numpy as np

from pipelines.job.items import Rejected


def check_floats(values: np.ndarray) -> None:
    """Checks an array.

    Args:
      values: floats [T, C] of any width and byte order.

    Raises:
      Rejected: for NaN, infinite values, and values beyond the range of float16.
    """
    finite = np.isfinite(values)
    if not finite.all():
        raise Rejected('the array holds NaN or infinite values', _first(values, finite))
    with np.errstate(over='ignore'):
        # The decoder converts to float32 first as well.
        fits = np.isfinite(values.astype(np.float32).astype(np.float16))
    if not fits.all():
        raise Rejected('values beyond the range of float16', _first(values, fits))


def _first(values: np.ndarray, good: np.ndarray) -> str:
    step, channel = np.argwhere(~good)[0].tolist()
    return f'[{step}, {channel}] is {values[step, channel]:g}'
