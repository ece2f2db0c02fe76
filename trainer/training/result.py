"""The result of a run as one JSON line: result.json in its model_dir."""

import dataclasses
import hashlib
import json
import os
import platform
import resource
import shlex
import subprocess
import sys
import time
from typing import Any

import orbit
import tensorflow as tf

from pipelines.format.records import RecordsInfo
from trainer.config import Config

FILE_NAME = 'result.json'
_CODE = ('trainer', 'pipelines', 'tools', 'gin')
# Not part of the hash: these settings change where files lie and what computes, not the experiment.
ASIDE = ('records', 'service', 'warm_start', 'path')


class Stopwatch(orbit.Action):
    """A training action: adds up the seconds of all starts of a run, in a checkpointed variable.

    Time after the last checkpoint of a killed process does not count, since its steps do not.
    """

    def __init__(self, seconds: tf.Variable, *, began: float | None = None) -> None:
        """Starts.

        Args:
          seconds: scalar float64, of all starts.
          began: time.monotonic() when the process began; None: now.
        """
        self._seconds, self._added = seconds, False
        self._before = time.monotonic() if began is None else began

    def __call__(self, logs: dict[str, float]) -> None:
        """Adds the time since the last call, or since the process began."""
        del logs
        now = time.monotonic()
        self._seconds.assign_add(now - self._before)
        self._before, self._added = now, True

    def total(self, saved: float) -> float:
        """Seconds of all starts up to now; `saved`: those of the checkpoint it started from."""
        before = float(self._seconds.numpy()) if self._added else saved
        return before + time.monotonic() - self._before


def config_hash(config: Config) -> str:
    """Twelve hex digits of the configuration, without the settings in `ASIDE`."""
    values = dataclasses.asdict(config)
    for section in values.values():
        for name in ASIDE:
            section.pop(name, None)
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def commit() -> str | None:
    """The commit of the checkout that holds this code, followed by '+' if the code has changed.

    None outside of a checkout: an installed wheel, or a virtual environment in another repository.
    """
    try:
        _git('ls-files', '--error-unmatch', os.path.basename(__file__))
        found = _git('describe', '--always', '--abbrev=12', '--exclude=*')
        # Only code counts as changed: results and documents do not affect a run.
        changed = _git('diff', '--name-only', 'HEAD', '--', *(f':/{name}' for name in _CODE))
        return found + ('+' if changed else '')
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*arguments: str) -> str:
    here = os.path.dirname(os.path.abspath(__file__))
    command = ['git', '-C', here, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()


def peak_memory_mb(before: str) -> float:
    """The most that this process, or one that ended the run before, has had in RAM, in megabytes.

    Args:
      before: the run's result.json; it need not be there.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In bytes on a Mac, in kibibytes elsewhere.
    own = round(peak / 1e6 if sys.platform == 'darwin' else peak * 1024 / 1e6, 1)
    try:
        with tf.io.gfile.GFile(before) as file:
            return max(own, float(json.loads(file.read())['peak_memory_mb']))
    except (tf.errors.OpError, OSError, ValueError, TypeError, KeyError):
        # None, that of an older version, or a damaged one, which is written anew.
        return own


def versions() -> dict[str, str]:
    """Versions of what computes, by name."""
    return {'python': platform.python_version(), 'tensorflow': tf.__version__}


def make_result(
    config: Config,
    *,
    gin_files: list[str],
    gin_params: list[str],
    commits: list[str],
    steps_per_epoch: int,
    global_step: int,
    over: bool,
    seconds: float,
    peak_memory: float,
    evaluations: dict[str, dict[str, Any]],
    measured: dict[str, Any],
) -> dict[str, Any]:
    """The content of result.json.

    Args:
      config: of the run.
      gin_files: as the user named them.
      gin_params: bindings that were added to the files.
      commits: of the code that trained it.
      steps_per_epoch: of the training split.
      global_step: steps taken, both phases counted.
      over: whether the run has ended early, see `phase.is_over`.
      seconds: wall time of all starts, evaluations included.
      peak_memory: from `peak_memory_mb`.
      evaluations: of 'validation' and 'test', where there are such splits.
      measured: the run's last validation, with what `trainer.monitoring.measures` has added.

    Returns:
      JSON values; an accuracy is None if the split has no labels or was not evaluated.
      Versions are those of this process, the last start of the run.
    """
    validation, test = (evaluations.get(split, {}) for split in ('validation', 'test'))
    interval = [test.get('accuracy_low'), test.get('accuracy_high')]
    return {
        'gin_file': ' '.join(gin_files),
        'params': gin_params,
        'commit': ' '.join(commits) or None,
        'config_hash': config_hash(config),
        'seed': config.run.seed,
        'epochs': round(global_step / steps_per_epoch, 3),
        'steps': global_step,
        'seconds': round(seconds, 1),
        'peak_memory_mb': peak_memory,
        'versions': versions(),
        'finished': over or global_step >= config.run.total_steps,
        'validation_accuracy': validation.get('accuracy') if validation.get('labelled') else None,
        'test_accuracy': test.get('accuracy') if test.get('labelled') else None,
        'test_interval': interval if test.get('labelled') else None,
        'state_use': _by_loss(measured, 'state_use'),
        'recurrent_gradient': _by_loss(measured, 'recurrent_gradient'),
        'memory_curve': test.get('memory_curve') or validation.get('memory_curve'),
    }


def ending(line: dict[str, Any], info: RecordsInfo, model_dir: str) -> list[str]:
    """The last lines of a run: its test accuracy, or why it has none, and the next commands.

    Args:
      line: of `make_result`.
      info: of the records.
      model_dir: of the run.
    """
    accuracy, interval = line['test_accuracy'], line['test_interval']
    if accuracy is not None:
        low, high = interval
        said = f'test accuracy {accuracy:.2%} (95 % interval {low:.2%} to {high:.2%})'
    elif not info.counts['splits'].get('test'):
        said = 'no test accuracy: the records have no test split'
    else:
        said = 'no test accuracy: RunConfig.evaluate_test=False, or no test example has a label'
    if not info.class_names:
        return [said]
    export = f'python -m trainer.main --mode=export --model_dir={shlex.quote(model_dir)}'
    return [said, f'next: {export}; then python -m tools.predict on what it writes']


def _by_loss(measured: dict[str, Any], suffix: str) -> dict[str, float]:
    """'reconstruction_state_use' -> 'reconstruction'."""
    found = {k.removesuffix(f'_{suffix}'): v for k, v in measured.items() if k.endswith(suffix)}
    return {name: round(value, 4) for name, value in found.items()}
