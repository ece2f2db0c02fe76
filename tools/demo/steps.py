"""`make demo`: what lies beyond the gradient's reach, learned or not.

Each digit is followed by as many blank steps as it has pixels, and gradients reach back less than
that: a truncated LSTM never sees a digit with gradient. The r-LSTM's auxiliary loss makes it keep
the digit anyway; full BPTT, which sees all steps, is trained for comparison. The r-LSTM is
exported, and a fresh process sends it raw PNG files.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Steps of training by side of the digits: what two cores do in about five minutes.
_STEPS = {8: 1200, 16: 400}
# Model: gin file, and whether the gradient reaches all steps.
_MODELS = {
    'plain LSTM': ('lstm', False),
    'r-LSTM': ('r_lstm', False),
    'full BPTT': ('lstm', True),
}


@dataclasses.dataclass(frozen=True)
class Demo:
    """One demonstration: where its files lie, and how long the sequences are."""

    output: Path
    side: int
    train_steps: int

    @property
    def pixels(self) -> int:
        """Steps of a digit, and as many blank ones behind it."""
        return self.side**2

    @property
    def bptt_steps(self) -> int:
        """How far a truncated gradient reaches: half as far as the blank steps go."""
        return self.pixels // 2

    def folder(self, model: str) -> Path:
        """Of a run."""
        return self.output / model.replace(' ', '_').lower()

    @property
    def records(self) -> Path:
        """Folder of the records."""
        return self.output / 'records'

    @property
    def images(self) -> Path:
        """Folder of the test split's raw PNG files, one folder per class."""
        return self.output / 'test_images'

    def run_job(self) -> None:
        """Raw PNG bytes -> records, by the Beam job."""
        _call(
            '-m',
            'pipelines.main',
            '--source=builtin:digits',
            f'--image_size={self.side}',
            f'--trailing_steps={self.pixels}',
            f'--segment_steps={self.bptt_steps}',
            f'--auxiliary_steps={self.pixels // 4}',
            f'--output={self.records}',
            '--overwrite',
        )

    def train(self, model: str) -> dict:
        """Trains one of `_MODELS`; returns the evaluation of the test split."""
        name, full = _MODELS[model]
        params = [
            f'TRAIN_STEPS={self.train_steps}',
            f'BPTT_STEPS={2 * self.pixels if full else self.bptt_steps}',
            f'MEMORY_STEPS={2 * self.pixels}',
        ]
        self._trainer(name, model, 'train_and_eval', params)
        return json.loads((self.folder(model) / 'evaluation-test.json').read_text())

    def _trainer(self, name: str, model: str, mode: str, params: list[str]) -> None:
        """One trainer command, in this process: its start costs more than the work of some."""
        from trainer import commands

        gin_file = f'gin/digits/{name}.gin'
        command = commands.Command(
            mode=mode,
            model_dir=str(self.folder(model)),
            gin_files=[gin_file],
            gin_params=params,
            records=str(self.records),
        )
        shown = ' '.join(f'--gin_param={p}' for p in params)
        _say(
            f'python -m trainer.main --gin_file={gin_file} --mode={mode} '
            f'--records={self.records} --model_dir={self.folder(model)} {shown}'
        )
        if commands.execute(command):
            sys.exit(2)

    def write_images(self) -> dict[str, str]:
        """Writes the raw PNG files of the test split; returns the class name by file."""
        from pipelines.job.sources.digits import raw_items

        predictions = (self.folder('r-LSTM') / 'predictions-test.jsonl').read_text()
        test = {json.loads(line)['id'] for line in predictions.splitlines()}
        labels = {}
        for example_id, name, data in raw_items():
            if example_id in test:
                path = self.images / name / f'{example_id}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                labels[str(path)] = name
        return labels

    def export(self) -> Path:
        """The folder of the r-LSTM's SavedModel."""
        exports = (self.folder('r-LSTM') / 'export').iterdir()
        return max(exports, key=lambda p: int(p.name))

    def serve(self) -> tuple[int, int]:
        """Exports, then asks the export in a process that knows nothing of the trainer.

        Returns:
          Right answers and files.
        """
        self._trainer('r_lstm', 'r-LSTM', 'export', [])
        labels = self.write_images()
        export = self.export()
        answers = _call('-m', 'tools.predict', str(export), str(self.images), '--json', keep=True)
        rows = [json.loads(line) for line in answers.splitlines()]
        return sum(labels[row['file']] == row['class_name'] for row in rows), len(rows)


def _draw(demo: Demo) -> None:
    """Pictures of the runs, from their logs and evaluations."""
    from tools import curves

    runs = {model: demo.folder(model) for model in _MODELS}
    curves.draw_accuracy(runs, demo.output / 'accuracy.png')
    curves.draw_memory(runs, demo.output / 'memory.png', trailing_steps=demo.pixels)
    curves.draw_reconstructions(demo.folder('r-LSTM'), demo.output / 'reconstructions.png')


def _say(command: str) -> None:
    print(f'\n$ {command}', flush=True)


def _call(*arguments: str, keep: bool = False) -> str:
    """Runs this Python with arguments; ends the demo if that fails."""
    _say(' '.join(['python', *arguments]))
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE if keep else None)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.decode() if keep else ''


def _counts(evaluation: dict) -> tuple[int, int]:
    total = evaluation['labelled']
    return round(evaluation['accuracy'] * total), total


def _row(name: str, counts: tuple[int, int], *rest: str) -> str:
    from trainer.monitoring.interval import wilson_interval

    low, high = wilson_interval(*counts)
    interval = f'{low:.1%} to {high:.1%}'
    return f'  {name:<24}{counts[0] / counts[1]:>8.1%}   {interval:<17}' + ''.join(rest)


def report(demo: Demo, evaluations: dict[str, dict], served: tuple[int, int]) -> str:
    """The closing table, and where everything lies."""
    out, steps = demo.output, 2 * demo.pixels
    rows = []
    for model, found in evaluations.items():
        reach = steps if _MODELS[model][1] else demo.bptt_steps
        memory, seconds = found['memory_curve']['total'], _seconds(demo.folder(model))
        rest = (f'{reach:>14}', f'{memory:>10.0%}', f'{seconds:>9.0f} s')
        rows.append(_row(model, _counts(found), *rest))
    lines = [
        f'Digits at {demo.side}x{demo.side}, one pixel a step, then {demo.pixels} blank steps: '
        f'{steps} steps; {demo.train_steps} training steps each.',
        f'Test split, {served[1]} digits, 95 % intervals; memory: what a linear probe reads of the '
        'past from the last state.',
        '',
        f'  {"":<24}{"accuracy":>8}   {"interval":<17}{"gradient over":>14}{"memory":>10}'
        f'{"training":>11}',
        *rows,
        _row('r-LSTM, served', served) + '   SavedModel, raw PNG files, a fresh process',
        '',
        f'records       {demo.records}',
        f'runs          {", ".join(str(demo.folder(model)) for model in evaluations)}',
        f'TensorBoard   tensorboard --logdir={out}',
        f'SavedModel    {demo.export()}',
        f'pictures      {out / "memory.png"}, {out / "accuracy.png"}, '
        f'{out / "reconstructions.png"}',
    ]
    return '\n'.join(lines)


def _seconds(run: Path) -> float:
    return json.loads((run / 'result.json').read_text())['seconds']


def main() -> None:
    """Runs the whole demonstration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--side', type=int, default=8, help='side of the digits (8 or 16)')
    parser.add_argument('--output', default='demo_output', help='folder for everything')
    parser.add_argument('--train_steps', type=int, help='default: what fits into five minutes')
    flags = parser.parse_args()
    if not 4 <= flags.side <= 64:
        sys.exit(f'error: --side={flags.side}: 4 to 64 is allowed, such as DEMO_SIDE=16')
    started = time.monotonic()
    steps = flags.train_steps or _STEPS.get(flags.side, 600)
    folder = Path(flags.output) / f'{flags.side}x{flags.side}-{time.strftime("%Y%m%d-%H%M%S")}'
    demo = Demo(folder, flags.side, steps)
    demo.run_job()
    evaluations = {model: demo.train(model) for model in _MODELS}
    served = demo.serve()
    _draw(demo)
    print(f'\n{report(demo, evaluations, served)}')
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f'\ndone in {minutes} min {seconds} s')
    if served != _counts(evaluations['r-LSTM']):
        sys.exit("error: the served model does not agree with the trainer's evaluation")


if __name__ == '__main__':
    main()
