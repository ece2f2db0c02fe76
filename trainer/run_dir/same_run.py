"""Whether a model_dir holds the run that a configuration describes."""

import dataclasses
import json
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.config import Config, default_of
from trainer.run_dir import small_files
from trainer.run_dir.files import write_atomically
from trainer.run_dir.folder import ModelDir

_FILE_NAME = 'config.json'
_WITHOUT = 'the run goes on with the configuration of this command, whatever it was before'
# Settings that may change from one start of a run to the next, such as lengths and intervals.
_FREE = {
    'data.records',
    'data.eval_batch_size',
    'data.service',
    'run.train_steps',
    'run.log_interval',
    'run.checkpoint_interval',
    'run.eval_interval',
    'run.keep_checkpoints',
    'run.evaluate_test',
    'run.patience',
    'run.skip_loss_above',
    'run.max_skipped_batches',
    'run.diagnostics',
    'run.profile_from',
    'run.profile_until',
    'run.warm_start',
    'run.path',
}


def _flat(config: Config) -> dict[str, Any]:
    """'run.seed' -> value."""
    return {
        f'{section}.{name}': value
        for section, values in dataclasses.asdict(config).items()
        for name, value in values.items()
    }


def _defaults(config: Config) -> dict[str, Any]:
    """As `_flat`, with the default values of the classes."""
    return {
        f'{section.name}.{field.name}': default_of(field)
        for section in dataclasses.fields(config)
        for field in dataclasses.fields(getattr(config, section.name))
    }


def _gin_name(config: Config, name: str) -> str:
    section, _, field = name.partition('.')
    return f'{type(getattr(config, section)).__name__}.{field}'


def check_same_run(folder: ModelDir, config: Config, *, change: bool) -> None:
    """Compares the configuration with the run's saved one, if it has one, and saves it.

    Args:
      folder: of the run.
      config: of this start.
      change: whether the configuration may differ from the saved one.

    Raises:
      LonghaulError: if it is another experiment; the message names each value, saved and new.
    """
    path, values = folder / _FILE_NAME, _flat(config)
    if folder.latest_step() > 0 and tf.io.gfile.exists(path) and not change:
        text = small_files.read_text(path, without=_WITHOUT)
        before = small_files.parse(text, path, _FILE_NAME, without=_WITHOUT)
        # An older version, which lacked a setting, behaved as its default does.
        before = _defaults(config) | before
        differ = [n for n in values if n not in _FREE and before[n] != values[n]]
        if differ:
            said = '; '.join(
                f'{_gin_name(config, n)} was {before[n]!r}, is {values[n]!r}' for n in differ
            )
            raise LonghaulError(
                f'--model_dir={folder.path}: holds another experiment: {said}. Name another '
                '--model_dir, or add --allow_changes to go on with these values'
            )
    write_atomically(path, json.dumps(values, indent=1) + '\n')
