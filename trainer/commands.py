"""What `trainer.main` does with its flags; a refusal is one line and exit code 2."""

import dataclasses
import json
import sys

import gin
import tensorflow as tf

from pipelines.format import errors
from pipelines.format.errors import LonghaulError
from trainer import bindings, export, run, strategies
from trainer.config import Config
from trainer.model_dir import GIN_FILE, ModelDir


@dataclasses.dataclass(frozen=True)
class Command:
    """The flags of one call; `gin_files` empty: take the model_dir's own operative.gin."""

    mode: str
    model_dir: str
    gin_files: list[str]
    gin_params: list[str]
    records: str | None = None
    split: str = 'test'
    strategy: str | None = None
    dry_run: bool = False


def execute(command: Command) -> int:
    """Carries out a command; returns the exit code: 0, 2 for a refusal, 130 when interrupted."""
    try:
        settings = bindings.load(
            gin_files=_gin_files(command),
            gin_params=command.gin_params,
            records=command.records,
        )
        _carry_out(command, settings)
    except LonghaulError as error:
        return _refuse(error)
    except tf.errors.OpError as error:
        ours = errors.wrapped(error)
        if ours is None:
            raise
        return _refuse(ours)
    except KeyboardInterrupt:
        print(
            'stopped; the same command goes on from the last checkpoint, if there is one',
            file=sys.stderr,
        )
        return 130
    return 0


def _refuse(error: LonghaulError) -> int:
    print(f'error: {error}', file=sys.stderr)
    return 2


def _gin_files(command: Command) -> list[str]:
    if command.gin_files:
        return command.gin_files
    own = ModelDir(command.model_dir) / GIN_FILE
    if not tf.io.gfile.exists(own):
        raise LonghaulError(
            f'--gin_file is missing, and {own} does not exist: name an experiment, such as '
            '--gin_file=gin/digits/r_lstm.gin'
        )
    return [own]


def _carry_out(command: Command, settings: Config) -> None:
    if command.mode == 'export':
        print(f'exported to {export.export(settings, command.model_dir)}')
        return
    shards = strategies.configure_threads()
    strategy = strategies.make_strategy(command.strategy)
    this = run.Run(settings, command.model_dir, strategy=strategy, shards=shards)
    if command.dry_run:
        print(this.describe())
        return
    if command.mode in ('train', 'train_and_eval'):
        validate = command.mode == 'train_and_eval'
        this.train(
            operative_config=gin.operative_config_str(),
            validate=validate,
            gin_files=command.gin_files,
            gin_params=command.gin_params,
        )
    if command.mode == 'train_and_eval':
        print(json.dumps(this.finish()))
    if command.mode == 'eval':
        logs = this.evaluate(command.split)
        print(f'{command.split}  {run.summarize(logs)}')
        print(json.dumps(logs))
