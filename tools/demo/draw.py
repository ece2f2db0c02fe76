"""The demonstration's pictures: accuracy over steps, memory over distance, reconstructions."""

from pathlib import Path
from typing import Any

from tools import drawing
from tools.event_files import read_values
from tools.report import curves
from tools.report.charts import Line
from tools.report.run_files import read_run

_SIZE = (6.4, 3.6)


def accuracy(runs: dict[str, Path], output: Path) -> None:
    """Draws the validation accuracy of some runs, with its 95 % intervals.

    Args:
      runs: label -> model_dir, trained with validation.
      output: the PNG file to write.
    """
    lines = {name: curves.accuracy(read_run(str(run)), over='step') for name, run in runs.items()}
    with drawing.panels(output, size=_SIZE) as panels:
        _draw(lines, panels[0, 0])
        panels[0, 0].set(xlabel='training steps', ylabel='validation accuracy (%)', ylim=(0, 100))
        panels[0, 0].legend(loc='lower right')


def memory(runs: dict[str, Path], output: Path, *, trailing_steps: int) -> None:
    """Draws what share of the past a linear probe reads from the last state, by distance.

    Args:
      runs: label -> model_dir, evaluated.
      output: the PNG file to write.
      trailing_steps: steps at the end that are blank: nothing is to be known of them.
    """
    lines = {name: curves.memory_line(read_run(str(run))) for name, run in runs.items()}
    with drawing.panels(output, size=_SIZE) as panels:
        axes = panels[0, 0]
        _draw(lines, axes)
        axes.axvspan(0, trailing_steps, color='0.93', zorder=0)
        axes.text(trailing_steps / 2, 50, 'blank steps', ha='center', color='0.5')
        axes.set(xlabel='steps back from the end', ylabel='variance read from the state (%)')
        axes.set(ylim=(0, 100), xlim=(0, None))
        axes.legend(loc='upper right')


def _draw(lines: dict[str, Line | None], axes: Any) -> None:
    """Lines of the report, in matplotlib's own colours and with a legend's labels."""
    for name, line in lines.items():
        if line is None:
            continue
        (drawn,) = axes.plot(line.x, line.y, marker='o', markersize=3, label=name)
        if line.low is not None and line.high is not None:
            band = {'alpha': 0.15, 'color': drawn.get_color(), 'linewidth': 0}
            axes.fill_between(line.x, line.low, line.high, **band)
    axes.grid(alpha=0.3)


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
