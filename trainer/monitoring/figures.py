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
    inputs: np.ndarray, lengths: np.ndarray, starts: np.ndarray, outputs: dict[str, np.ndarray]
) -> np.ndarray:
    """Draws the truth and the reconstructions of each row's stretch of L_i - 1 steps.

    Args:
      inputs: [B, T, C], right-aligned, as stored.
      lengths: int32 [B].
      starts: int32 [B], step s of each row.
      outputs: by caption, float [L-1, B, C].

    Returns:
      uint8 [B, height, width, 4].
    """
    pictures, longest = [], len(next(iter(outputs.values()))) + 1
    for i, (row, length, start) in enumerate(zip(inputs, lengths, starts, strict=True)):
        steps = int(shortened(longest, length)) - 1
        truth = _values(row[-length:])[start + 1 : start + 1 + steps]
        said = {caption: values[:steps, i] for caption, values in outputs.items()}
        pictures.append(draw_curves({'truth': truth, **said}, first=start + 1))
    return np.stack(pictures)


def draw_side_by_side(panels: dict[str, np.ndarray]) -> np.ndarray:
    """Draws pictures beside each other, each below its caption.

    Args:
      panels: by caption, float [B, side, side, 1 or 3] in 0..1.

    Returns:
      uint8 [B, height, width, 4].
    """
    pictures = []
    for row in zip(*panels.values(), strict=True):
        figure = new_figure(2 * len(panels), 2.3)
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for axis, caption, picture in zip(axes, panels, row, strict=True):
            axis.set_axis_off()
            axis.set_title(caption, fontsize='medium')
            axis.imshow(picture, cmap='gray', vmin=0, vmax=1, interpolation='nearest')
        pictures.append(pixels_of(figure))
    return np.stack(pictures)


def _values(stored: np.ndarray) -> np.ndarray:
    """Stored values as the model reads them."""
    return stored / np.float32(255 if stored.dtype == np.uint8 else 1)
