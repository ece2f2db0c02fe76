"""Pictures of finished runs, drawn from what lies in their folders alone.

  python -m tools.curves --output=curves.png RUN RUN...
  python -m tools.curves --memory --output=memory.png RUN RUN...

Draws each run's accuracy on the validation split over training steps, with its 95 % interval; or,
with --memory, how much of the past its last state holds, by distance.
"""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import numpy as np

from pipelines.format.errors import LonghaulError
from tools import drawing, flags

_SIZE = (6.4, 3.6)


def read_values(folder: Path) -> dict[str, dict[int, np.ndarray]]:
    """tag -> {step: value} of all event files in a folder; a step written twice: the last."""
    import tensorflow as tf

    found: dict[str, dict[int, np.ndarray]] = {}
    for path in sorted(folder.glob('events.out.tfevents.*')):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def draw_accuracy(runs: dict[str, Path], output: Path) -> None:
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


def read_memory(model_dir: Path) -> dict[str, list] | None:
    """The memory curve of the best weights, on the test split if it was evaluated; None: none."""
    for split in ('test', 'validation'):
        path = model_dir / f'evaluation-{split}.json'
        if path.exists() and (curve := json.loads(path.read_text()).get('memory_curve')):
            return curve
    return None


def draw_memory(runs: dict[str, Path], output: Path, *, trailing_steps: int = 0) -> None:
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


def draw_reconstructions(model_dir: Path, output: Path) -> None:
    """Draws the last logged reconstructions of a run on images: truth left, what is said right.

    Args:
      model_dir: of an r-LSTM run that has been validated.
      output: the PNG file to write.
    """
    import tensorflow as tf

    logged = read_values(model_dir / 'validation')['reconstruction']
    # Width and height come first, then one PNG file per picture.
    pictures = [tf.io.decode_png(data).numpy() for data in logged[max(logged)][2:]]
    size = (2.4 * len(pictures), 1.4)
    with drawing.panels(output, columns=len(pictures), size=size) as panels:
        for axes, picture in zip(panels[0], pictures, strict=True):
            axes.imshow(picture, cmap='gray', vmin=0, vmax=255, interpolation='nearest')
            axes.axvline(picture.shape[1] / 2 - 0.5, color='tab:orange', linewidth=1)
            axes.set_axis_off()


def main(arguments: list[str] | None = None) -> int:
    """Draws the accuracy, or the memory, of the runs named; returns the exit code, 1 refused."""
    parser = flags.Parser('python -m tools.curves', doc=__doc__)
    parser.add_argument('runs', nargs='+', help='model_dirs that were trained with validation')
    parser.add_argument('--output', default='curves.png', help='PNG file (default curves.png)')
    parser.add_argument('--memory', action='store_true', help='draw what the last state holds')
    given = parser.parse_args(arguments)

    def draw() -> int:
        draw_runs = draw_memory if given.memory else draw_accuracy
        draw_runs({run: Path(run) for run in given.runs}, Path(given.output))
        print(given.output)
        return 0

    return flags.code_of(draw, refused=1)


if __name__ == '__main__':
    sys.exit(main())
