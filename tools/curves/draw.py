"""Pictures of some runs: accuracy over steps, memory over distance, reconstructions."""

from pathlib import Path

import numpy as np

from pipelines.format.errors import LonghaulError
from tools import drawing
from tools.curves.logs import read_memory, read_values

_SIZE = (6.4, 3.6)


def accuracy(runs: dict[str, Path], output: Path) -> None:
    """Draws the validation accuracy of some runs.

    Args:
      runs: label -> model_dir, trained with validation.
      output: the PNG file to write.

    Raises:
      LonghaulError: for a run without a validation log.
    """
    with drawing.panels(output, size=_SIZE) as panels:
        axes = panels[0, 0]
        for label, model_dir in runs.items():
            values = read_values(model_dir / 'validation')
            if 'accuracy' not in values:
                raise LonghaulError(
                    f'{model_dir}: holds no validation log; train with --mode=train_and_eval'
                )
            steps = sorted(values['accuracy'])
            columns = ('accuracy', 'accuracy_low', 'accuracy_high')
            middle, low, high = (100 * np.array([values[c][s] for s in steps]) for c in columns)
            (line,) = axes.plot(steps, middle, marker='o', markersize=3, label=label)
            axes.fill_between(steps, low, high, alpha=0.15, color=line.get_color(), linewidth=0)
        axes.set(xlabel='training steps', ylabel='validation accuracy (%)', ylim=(0, 100))
        axes.grid(alpha=0.3)
        axes.legend(loc='lower right')


def memory(runs: dict[str, Path], output: Path, *, trailing_steps: int = 0) -> None:
    """Draws what share of the past a linear probe reads from the last state, by distance.

    Args:
      runs: label -> model_dir, evaluated.
      output: the PNG file to write.
      trailing_steps: steps at the end that are blank: nothing is to be known of them.

    Raises:
      LonghaulError: for a run without a memory curve.
    """
    with drawing.panels(output, size=_SIZE) as panels:
        axes = panels[0, 0]
        for label, model_dir in runs.items():
            curve = read_memory(model_dir)
            if curve is None:
                raise LonghaulError(
                    f'{model_dir}: holds no evaluation with a memory curve; run --mode=eval'
                )
            shares = [np.nan if x is None else 100 * x for x in curve['explained']]
            axes.plot(curve['distances'], shares, marker='o', markersize=3, label=label)
        if trailing_steps:
            axes.axvspan(0, trailing_steps, color='0.93', zorder=0)
            axes.text(trailing_steps / 2, 50, 'blank steps', ha='center', color='0.5')
        axes.set(xlabel='steps back from the end', ylabel='variance read from the state (%)')
        axes.set(ylim=(0, 100), xlim=(0, None))
        axes.grid(alpha=0.3)
        axes.legend(loc='upper right')


def reconstructions(model_dir: Path, output: Path) -> None:
    """Draws the last logged reconstructions of a run on images, with their captions.

    Args:
      model_dir: of an r-LSTM run that has been validated.
      output: the PNG file to write.
    """
    import tensorflow as tf

    logged = read_values(model_dir / 'validation')['reconstruction']
    # TensorBoard's images: width and height come first, then one PNG file per picture.
    pictures = [tf.io.decode_png(data).numpy() for data in logged[max(logged)][2:]]
    size = (2.4 * len(pictures), 1.4)
    with drawing.panels(output, columns=len(pictures), size=size) as panels:
        for axes, picture in zip(panels[0], pictures, strict=True):
            axes.imshow(picture, cmap='gray', vmin=0, vmax=255)
            axes.set_axis_off()
