"""Cuts sequences into segments, from the END: the first segment may be short.

The last segment of a sequence is then always whole. The supervised loss is taken there.
"""

import numpy as np


def segment_count(length: int | np.ndarray, segment_steps: int) -> int | np.ndarray:
    """The number of segments of a sequence of `length` steps, at least 1."""
    return -(-length // segment_steps)


def padded_steps(segments: int | np.ndarray, segment_steps: int) -> int | np.ndarray:
    """The number of columns in a batch whose longest sequence has so many segments."""
    return segments * segment_steps


def split_segments(values: np.ndarray, segment_steps: int) -> list[bytes]:
    """[T] or [T, C] -> the bytes of each segment, little-endian; the first one may be short."""
    if values.itemsize > 1:
        values = values.astype(values.dtype.newbyteorder('<'), copy=False)
    # The array becomes bytes first: bytes are cut faster than arrays.
    stored = values.tobytes()
    width = len(stored) // len(values)
    step, first = segment_steps * width, ((len(values) - 1) % segment_steps + 1) * width
    rest = range(first, len(stored), step)
    return [stored[:first], *[stored[begin : begin + step] for begin in rest]]


def join(segments: list[bytes], *, dtype: str, channels: int | None = None) -> np.ndarray:
    """The inverse of `split_segments`.

    Returns:
      [T, channels] of the dtype, or [T] without channels.
    """
    values = np.frombuffer(b''.join(segments), np.dtype(dtype).newbyteorder('<'))
    return values if channels is None else values.reshape([-1, channels])
