"""The steps of the demonstration, each by the command that a user would type."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from tools import json_lines
from tools.demo import draw
from tools.flags import at_least

# Steps of training by side of the digits: what two cores do in about five minutes.
_STEPS, _OTHER_STEPS = {8: 1200, 16: 400}, 600


class Model(NamedTuple):
    """One of the models: its gin file's name, and whether its gradient reaches all steps."""

    gin_name: str
    full: bool


MODELS = {
    'plain LSTM': Model('lstm', full=False),
    'r-LSTM': Model('r_lstm', full=False),
    'full BPTT': Model('lstm', full=True),
}
SERVED = 'r-LSTM'


class Count(NamedTuple):
    """How many answers are right, out of how many."""

    right: int
    total: int


@dataclasses.dataclass(frozen=True)
class Demo:
    """One demonstration.

    Attributes:
      output: folder for everything.
      side: of the digits, in pixels.
      train_steps: of each model.
      digits: how many there are, over all splits; None: all 1,797.
    """

    output: Path
    side: int
    train_steps: int
    digits: int | None = None

    @classmethod
    def of(cls, output: Path, *, side: int, train_steps: int | None) -> 'Demo':
        """From flags; without `train_steps`, as many as fit into five minutes.

        Raises:
          LonghaulError: for a flag that is not allowed.
        """
        # Below, a window of the readout has more anchors than steps.
        if not 5 <= side <= 64:
            raise LonghaulError(f'--side={side}: 5 to 64 is allowed, such as DEMO_SIDE=16')
        if train_steps is not None:
            at_least(1, train_steps=train_steps)
        return cls(output, side, train_steps or _STEPS.get(side, _OTHER_STEPS))

    @property
    def pixels(self) -> int:
        """Steps of a digit, and as many blank ones behind it."""
        return self.side**2

    @property
    def steps(self) -> int:
        """Steps of a sequence."""
        return 2 * self.pixels

    def reach(self, model: str) -> int:
        """How many steps a model's gradient reaches back: all, or half of the blank ones."""
        return self.steps if MODELS[model].full else self.pixels // 2

    def folder(self, model: str) -> Path:
        """The model_dir of a model."""
        return self.output / model.replace(' ', '_').lower()

    @property
    def records(self) -> Path:
        """Folder of the records."""
        return self.output / 'records'

    @property
    def images(self) -> Path:
        """Folder of the test split's raw PNG files, one folder per class."""
        return self.output / 'test_images'

    @property
    def pictures(self) -> tuple[Path, Path, Path]:
        """Files of the pictures: memory, accuracy, reconstructions."""
        memory, accuracy, reconstructions = (
            self.output / f'{name}.png' for name in ('memory', 'accuracy', 'reconstructions')
        )
        return memory, accuracy, reconstructions

    def run_job(self) -> None:
        """Turns raw PNG bytes into records, by the Beam job."""
        call(
            '-m',
            'pipelines.main',
            '--source=builtin:digits',
            f'--image_size={self.side}',
            f'--trailing_steps={self.pixels}',
            f'--segment_steps={self.pixels // 2}',
            f'--auxiliary_steps={self.pixels // 4}',
            f'--output={self.records}',
            '--overwrite',
            *([] if self.digits is None else [f'--limit={self.digits}']),
        )

    def train(self, model: str) -> None:
        """Trains one of `MODELS` and evaluates it on the test split."""
        self._trainer(
            model,
            'train_and_eval',
            f'TRAIN_STEPS={self.train_steps}',
            f'BPTT_STEPS={self.reach(model)}',
            f'MEMORY_STEPS={self.steps}',
        )

    def _trainer(self, model: str, mode: str, *params: str) -> None:
        """Runs a trainer command in this process: a new one would import TensorFlow each time."""
        from trainer import commands

        gin_file = f'gin/digits/{MODELS[model].gin_name}.gin'
        command = commands.Command(
            mode=mode,
            model_dir=str(self.folder(model)),
            gin_files=[gin_file],
            gin_params=list(params),
            records=str(self.records),
        )
        shown = ' '.join(f'--gin_param={p}' for p in params)
        _say(
            f'python -m trainer.main --gin_file={gin_file} --mode={mode} '
            f'--records={self.records} --model_dir={self.folder(model)} {shown}'
        )
        if code := commands.execute(command):
            sys.exit(code)

    def evaluation(self, model: str) -> dict[str, Any]:
        """What the trainer has found on the test split, JSON values."""
        return json.loads((self.folder(model) / 'evaluation-test.json').read_text())

    def evaluated(self, model: str) -> Count:
        """How many answers of a model on the test split are right, by the trainer."""
        found = self.evaluation(model)
        return Count(round(found['accuracy'] * found['labelled']), found['labelled'])

    def seconds(self, model: str) -> float:
        """How long a model was trained."""
        return json.loads((self.folder(model) / 'result.json').read_text())['seconds']

    def export(self) -> None:
        """Writes the r-LSTM's SavedModel."""
        self._trainer(SERVED, 'export')

    @property
    def exported(self) -> Path:
        """The folder of the r-LSTM's newest SavedModel."""
        return max((self.folder(SERVED) / 'export').iterdir(), key=lambda path: int(path.name))

    def write_images(self) -> dict[str, str]:
        """Writes the raw PNG files of the test split; returns the class name by file."""
        from pipelines.job.sources.builtin.digits import raw_items

        test = {
            row['id'] for row in json_lines.read(self.folder(SERVED) / 'predictions-test.jsonl')
        }
        labels = {}
        for example_id, name, data in raw_items():
            if example_id in test:
                path = self.images / name / f'{example_id}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                labels[str(path)] = name
        return labels

    def answers(self) -> dict[str, str]:
        """The export's class names by file, from a process that knows nothing of the trainer."""
        said = call(
            '-m', 'tools.predict', str(self.exported), str(self.images), '--json', keep=True
        )
        return {row['file']: row['class_name'] for row in json_lines.parse(said.split('\n'))}

    def draw(self) -> None:
        """Writes `pictures`, from the runs' logs and evaluations."""
        runs = {model: self.folder(model) for model in MODELS}
        memory, accuracy, reconstructions = self.pictures
        draw.memory(runs, memory, trailing_steps=self.pixels)
        draw.accuracy(runs, accuracy)
        draw.reconstructions(self.folder(SERVED), reconstructions)


def _say(command: str) -> None:
    print(f'\n$ {command}', flush=True)


def call(*arguments: str, keep: bool = False) -> str:
    """Runs this Python with arguments; ends the demonstration if that fails.

    Returns:
      What it printed with `keep`, else ''.
    """
    _say(' '.join(['python', *arguments]))
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE if keep else None)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.decode() if keep else ''
