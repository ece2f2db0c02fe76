"""Pictures for TensorBoard that matplotlib draws: figures as pixels, signals as curves."""

import io
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from pipelines.format.anchors import shortened

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CHANNELS = 6


def new_figure(width: float, height: float) -> 'Figure':
    """A figure of `width` by `height` inches that needs no window system."""
    # Imported here, because the import takes a moment and not every run draws.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout='constrained')
    FigureCanvasAgg(figure)
    return figure


def pixels_of(figure: 'Figure') -> np.ndarray:
    """Draws a figure; uint8 [height, width, 4]."""
    file = io.BytesIO()
    figure.savefig(file, format='png', dpi=100)
    return tf.io.decode_png(file.getvalue(), channels=4).numpy()


def draw_curves(curves: dict[str, np.ndarray], *, first: int) -> np.ndarray:
    """Draws signals over their steps, one axis per channel, no more than six channels.

    Args:
      curves: by name, float [n, C]; of one C.
      first: number of the first step, for all of them.

    Returns:
      uint8 [height, width, 4], of one size for one C.
    """
    channels = min(_MOST_CHANNELS, next(iter(curves.values())).shape[1])
    figure = new_figure(6, 0.6 + 1.2 * channels)
    axes = figure.subplots(channels, 1, sharex=True, squeeze=False)[:, 0]
    for channel, axis in enumerate(axes):
        for name, values in curves.items():
            steps = first + np.arange(len(values))
            axis.plot(steps, values[:, channel], label=name, linewidth=1)
        axis.set_ylabel(f'channel {channel}')
        axis.grid(alpha=0.3)
    axes[-1].set_xlabel('step')
    if len(curves) > 1:
        axes[0].legend(loc='upper right')
    return pixels_of(figure)


def draw_signals(inputs: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Draws whole signals.

    Args:
      inputs: [B, T, C], right-aligned, as stored.
      lengths: int32 [B].

    Returns:
      uint8 [B, height, width, 4].
    """
    rows = zip(inputs, lengths, strict=True)
    return np.stack([draw_curves({'': _values(row[-n:])}, first=0) for row, n in rows])


def draw_reconstructions(
    inputs: np.ndarray, lengths: np.ndarray, starts: np.ndarray, outputs: np.ndarray
) -> np.ndarray:
    """Draws truth and reconstruction of each row's stretch of L_i - 1 steps.

    Args:
      inputs: [B, T, C], right-aligned, as stored.
      lengths: int32 [B].
      starts: int32 [B], step s of each row.
      outputs: float [L-1, B, C].

    Returns:
      uint8 [B, height, width, 4].
    """
    pictures = []
    for row, length, start, said in zip(
        inputs, lengths, starts, outputs.swapaxes(0, 1), strict=True
    ):
        steps = int(shortened(len(said) + 1, length)) - 1
        truth = _values(row[-length:])[start + 1 : start + 1 + steps]
        curves = {'truth': truth, 'reconstruction': said[:steps]}
        pictures.append(draw_curves(curves, first=start + 1))
    return np.stack(pictures)


def _values(stored: np.ndarray) -> np.ndarray:
    """Stored values as the model reads them."""
    return stored / np.float32(255 if stored.dtype == np.uint8 else 1)
