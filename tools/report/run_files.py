"""What a run's folder says of the run, without its weights."""

import dataclasses
import json
import os
import shlex
import typing
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.spec import SequenceSpec
from trainer.config import Config
from trainer.run_dir import small_files
from trainer.run_dir.folder import VALIDATIONS_FILE, ModelDir

_AGAIN = 'it is written again when the run goes on'
_SPLITS = ('test', 'validation')


@dataclasses.dataclass(frozen=True)
class RunFiles:
    """A run as its small files describe it.

    Attributes:
      folder: the model_dir.
      name: of the folder.
      spec: of the sequences.
      class_names: by label.
      config: resolved; None where the folder has none.
      records: folder of the records; '' if unknown.
      command: that trains the run, for a shell.
      commits: of the code that trained it, the oldest first.
      validations: one after another, ascending steps.
      evaluations: by split, 'test' first.
      result: result.json; {} before the run's end.
    """

    folder: str
    name: str
    spec: SequenceSpec
    class_names: tuple[str, ...]
    config: Config | None
    records: str
    command: str
    commits: tuple[str, ...]
    validations: tuple[dict[str, Any], ...]
    evaluations: dict[str, dict[str, Any]]
    result: dict[str, Any]

    @property
    def split(self) -> str:
        """The evaluated split that counts: test, or validation where test was not evaluated.

        Raises:
          LonghaulError: if none was evaluated.
        """
        for split in self.evaluations:
            return split
        raise LonghaulError(
            f'{self.name}: was not evaluated yet; python -m trainer.main --mode=eval '
            f'--model_dir={shlex.quote(self.folder)} does it'
        )

    @property
    def evaluation(self) -> dict[str, Any]:
        """The evaluation of `split`; {} without one."""
        return next(iter(self.evaluations.values()), {})

    @property
    def validated(self) -> tuple[dict[str, Any], ...]:
        """The validations.

        Raises:
          LonghaulError: if there is none.
        """
        if not self.validations:
            raise LonghaulError(
                f'{self.name}: was never validated; train with --mode=train_and_eval'
            )
        return self.validations

    @property
    def known_config(self) -> Config:
        """The configuration.

        Raises:
          LonghaulError: if the folder has none.
        """
        if self.config is None:
            raise LonghaulError(
                f'{self.name}: has no config.json, since an older version trained it; start the '
                'run again to have it written'
            )
        return self.config


def read_run(folder: str, *, records: str | None = None) -> RunFiles:
    """Reads the small files of a run.

    Args:
      folder: its model_dir.
      records: folder of its records; None: the one that it was trained on.

    Raises:
      LonghaulError: if the folder holds no run, or a file is damaged.
    """
    run = ModelDir(folder, flag='RUN')
    spec, class_names = run.data()
    config = _config(run)
    gin_files, gin_params = run.command()
    if records is None:
        records = '' if config is None else config.data.records
    return RunFiles(
        folder=folder,
        name=os.path.basename(folder.rstrip('/')) or folder,
        spec=spec,
        class_names=class_names,
        config=config,
        records=records,
        command=_command(folder, gin_files, gin_params, records),
        commits=tuple(run.commits()),
        validations=tuple(_lines(run / VALIDATIONS_FILE)),
        evaluations=_evaluations(run),
        result=_parsed(run / 'result.json', 'result.json') or {},
    )


def _evaluations(run: ModelDir) -> dict[str, dict[str, Any]]:
    found = {s: _parsed(run / f'evaluation-{s}.json', 'evaluation-*.json') for s in _SPLITS}
    return {split: values for split, values in found.items() if values}


def _parsed(path: str, schema: str) -> Any:
    """The JSON value of a file; None where there is no file."""
    if not tf.io.gfile.exists(path):
        return None
    text = small_files.read_text(path, without=_AGAIN)
    return small_files.parse(text, path, schema, without=_AGAIN)


def _lines(path: str) -> list[dict[str, Any]]:
    if not tf.io.gfile.exists(path):
        return []
    lines = small_files.read_text(path, without=_AGAIN).splitlines()
    return [small_files.parse(x, path, VALIDATIONS_FILE, without=_AGAIN) for x in lines]


def _config(run: ModelDir) -> Config | None:
    """The configuration from config.json: values alone, and no gin file that could run code."""
    path = run / 'config.json'
    values = _parsed(path, 'config.json')
    if values is None:
        return None
    sections = {}
    try:
        for section, kind in typing.get_type_hints(Config).items():
            names = (field.name for field in dataclasses.fields(kind))
            own = {n: values[f'{section}.{n}'] for n in names if f'{section}.{n}' in values}
            sections[section] = kind(**own)
        return Config(**sections)
    except (TypeError, ValueError) as error:
        raise small_files.damaged(path, first_line(error), _AGAIN) from error


def _command(folder: str, gin_files: list[str], gin_params: list[str], records: str) -> str:
    flags = [f'--gin_file={name}' for name in gin_files]
    flags += [f'--records={records}'] * bool(records) + [f'--model_dir={folder}']
    flags += [f'--gin_param={param}' for param in gin_params]
    return shlex.join(['python', '-m', 'trainer.main', *flags])


def read_predictions(run: RunFiles, split: str) -> list[dict[str, Any]]:
    """The predictions of a split, one for each example.

    Raises:
      LonghaulError: if there are none, or the file is damaged.
    """
    path = tf.io.gfile.join(run.folder, f'predictions-{split}.jsonl')
    again = f'python -m trainer.main --mode=eval --split={split} writes it again'
    if not tf.io.gfile.exists(path):
        raise LonghaulError(f'{path}: is missing; {again}')
    text = small_files.read_text(path, without=again)
    try:
        return [_prediction(json.loads(line)) for line in text.split('\n') if line]
    except (ValueError, TypeError, KeyError) as error:
        raise small_files.damaged(path, first_line(error), again) from error


def _prediction(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the types that it must have; without `top` in runs of an older version."""
    for name, kinds in (
        ('id', str),
        ('label', (str, type(None))),
        ('predicted', (str, type(None))),
    ):
        if not isinstance(row[name], kinds):
            raise TypeError(f'{name}: {row[name]!r}')
    top = row.get('top') or [[row['predicted'], row['probability']]]
    return row | {
        'probability': float(row['probability']),
        'top': [(str(name), float(probability)) for name, probability in top],
    }
