"""How a sequence is cut into stored segments: from the END, so that the first one is the short one.

The end of every sequence then lies on a segment boundary, where the supervised window of
`segment_steps` steps begins.
"""

import numpy as np


def segment_count(length: int | np.ndarray, segment_steps: int) -> int | np.ndarray:
    """Number of segments of a sequence of `length` >= 1 steps."""
    return -(-length // segment_steps)


def padded_steps(segments: int | np.ndarray, segment_steps: int) -> int | np.ndarray:
    """Columns of a batch whose longest sequence has so many segments."""
    return segments * segment_steps


def split_segments(values: np.ndarray, segment_steps: int) -> list[bytes]:
    """[T] or [T, C] -> little-endian bytes of each segment; the first may be short."""
    stored = values.astype(values.dtype.newbyteorder('<'), copy=False).tobytes()
    width = len(stored) // len(values)
    # Bytes are cut faster than arrays.
    step, first = segment_steps * width, ((len(values) - 1) % segment_steps + 1) * width
    return [stored[max(end - step, 0) : end] for end in range(first, len(stored) + 1, step)]


def join(segments: list[bytes], *, dtype: str, channels: int | None = None) -> np.ndarray:
    """The inverse of `split_segments`: [T, channels], or [T] without channels."""
    values = np.frombuffer(b''.join(segments), np.dtype(dtype).newbyteorder('<'))
    return values if channels is None else values.reshape([-1, channels])
