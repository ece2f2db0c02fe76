"""`make demo`: digits from raw PNG files to a served r-LSTM, beside a plain LSTM."""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

# Steps of training by side of the digits: what two cores do in about six minutes.
_STEPS = {16: 1200, 32: 400}


@dataclasses.dataclass(frozen=True)
class Demo:
    """One demonstration: where its files lie, and how long the sequences are."""

    output: Path
    side: int
    train_steps: int

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
        total = self.side**2
        _call(
            '-m',
            'pipelines.main',
            '--source=builtin:digits',
            f'--image_size={self.side}',
            f'--segment_steps={total * 2 // 5}',
            f'--auxiliary_steps={total // 4}',
            f'--output={self.records}',
            '--overwrite',
        )

    def train(self, name: str) -> dict:
        """Trains gin/digits/NAME.gin; returns the evaluation of the test split."""
        total = self.side**2
        params = [
            f'TRAIN_STEPS={self.train_steps}',
            f'BPTT_STEPS={total * 2 // 5}',
            f'AUXILIARY_STEPS={total // 4}',
        ]
        self._trainer(name, 'train_and_eval', params)
        path = self.output / name / 'evaluation-test.json'
        return json.loads(path.read_text())

    def _trainer(self, name: str, mode: str, params: list[str]) -> None:
        """One trainer command, in this process: its start costs more than the work of some."""
        from trainer import commands

        gin_file = f'gin/digits/{name}.gin'
        command = commands.Command(
            mode=mode,
            model_dir=str(self.output / name),
            gin_files=[gin_file],
            gin_params=params,
            records=str(self.records),
        )
        shown = ' '.join(f'--gin_param={p}' for p in params)
        _say(
            f'python -m trainer.main --gin_file={gin_file} --mode={mode} '
            f'--records={self.records} --model_dir={self.output / name} {shown}'
        )
        if commands.execute(command):
            sys.exit(2)

    def write_images(self) -> dict[str, str]:
        """Writes the raw PNG files of the test split; returns the class name by file."""
        from pipelines.job.sources.digits import raw_items

        predictions = (self.output / 'r_lstm' / 'predictions-test.jsonl').read_text()
        test = {json.loads(line)['id'] for line in predictions.splitlines()}
        labels = {}
        for example_id, name, data in raw_items():
            if example_id in test:
                path = self.images / name / f'{example_id}.png'
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                labels[str(path)] = name
        return labels

    def serve(self) -> tuple[int, int]:
        """Exports, then asks the export in a process that knows nothing of the trainer.

        Returns:
          Right answers and files.
        """
        self._trainer('r_lstm', 'export', [])
        labels = self.write_images()
        export = max((self.output / 'r_lstm' / 'export').iterdir(), key=lambda p: int(p.name))
        answers = _call('-m', 'tools.predict', str(export), str(self.images), '--json', keep=True)
        rows = [json.loads(line) for line in answers.splitlines()]
        return sum(labels[row['file']] == row['class_name'] for row in rows), len(rows)


def _draw(folder: Path) -> None:
    """Pictures of both runs, from their TensorBoard logs."""
    from tools import curves

    runs = {'r-LSTM': folder / 'r_lstm', 'plain LSTM': folder / 'lstm'}
    curves.draw_accuracy(runs, folder / 'accuracy.png')
    curves.draw_reconstructions(folder / 'r_lstm', folder / 'reconstructions.png')


def _say(command: str) -> None:
    print(f'\n$ {command}', flush=True)


def _call(*arguments: str, keep: bool = False) -> str:
    """Runs this Python with arguments; ends the demo if that fails."""
    _say(' '.join(['python', *arguments]))
    done = subprocess.run([sys.executable, *arguments], stdout=subprocess.PIPE if keep else None)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout.decode() if keep else ''


def _row(name: str, correct: int, total: int) -> str:
    from trainer.statistics import wilson_interval

    low, high = wilson_interval(correct, total)
    return f'  {name:<38}{correct / total:>7.1%}   {low:.1%} to {high:.1%}   ({total} digits)'


def _counts(evaluation: dict) -> tuple[int, int]:
    total = evaluation['labelled']
    return round(evaluation['accuracy'] * total), total


def report(demo: Demo, r_lstm: dict, plain: dict, served: tuple[int, int]) -> str:
    """The closing table, and where everything lies."""
    out = demo.output
    export = max((out / 'r_lstm' / 'export').iterdir(), key=lambda p: int(p.name))
    lines = [
        f'Test split, {demo.side}x{demo.side} = {demo.side**2} steps, truncation '
        f'{demo.side**2 * 2 // 5}, {demo.train_steps} training steps each, 95 % intervals:',
        _row('r-LSTM, served SavedModel, raw PNG', *served),
        _row("r-LSTM, trainer's own evaluation", *_counts(r_lstm)),
        _row("plain LSTM, trainer's own evaluation", *_counts(plain)),
        '',
        f'records       {demo.records}',
        f'checkpoints   {out / "r_lstm" / "checkpoints"}',
        f'TensorBoard   tensorboard --logdir={out}',
        f'SavedModel    {export}',
        f'pictures      {out / "accuracy.png"}, {out / "reconstructions.png"}',
    ]
    return '\n'.join(lines)


def main() -> None:
    """Runs the whole demonstration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--side', type=int, default=16, help='side of the digits (16 or 32)')
    parser.add_argument('--output', default='demo_output', help='folder for everything')
    parser.add_argument('--train_steps', type=int, help='default: what fits into six minutes')
    flags = parser.parse_args()
    if not 4 <= flags.side <= 128:
        sys.exit(f'error: --side={flags.side}: 4 to 128 is allowed, such as DEMO_SIDE=32')
    started = time.monotonic()
    steps = flags.train_steps or _STEPS.get(flags.side, 400)
    folder = Path(flags.output) / f'{flags.side}x{flags.side}-{time.strftime("%Y%m%d-%H%M%S")}'
    demo = Demo(folder, flags.side, steps)
    demo.run_job()
    r_lstm = demo.train('r_lstm')
    served = demo.serve()
    plain = demo.train('lstm')
    _draw(folder)
    print(f'\n{report(demo, r_lstm, plain, served)}')
    minutes, seconds = divmod(round(time.monotonic() - started), 60)
    print(f'\ndone in {minutes} min {seconds} s')
    if served != _counts(r_lstm):
        sys.exit("error: the served model does not agree with the trainer's evaluation")


if __name__ == '__main__':
    main()
