"""validations.jsonl: the results of a run's validations, one JSON line per validated step."""

import json
import math
from typing import Any

import tensorflow as tf

from trainer.run_dir import small_files
from trainer.run_dir.files import write_atomically
from trainer.run_dir.folder import VALIDATIONS_FILE, ModelDir

_WITHOUT = 'the validations so far are forgotten, and the best one with them'


class ValidationLog:
    """The validations of a run, up to the step of the checkpoint that it resumes from."""

    def __init__(self, folder: ModelDir) -> None:
        self._path, self._lines = folder / VALIDATIONS_FILE, []
        if tf.io.gfile.exists(self._path):
            text = small_files.read_text(self._path, without=_WITHOUT)
            self._lines = [
                small_files.parse(line, self._path, VALIDATIONS_FILE, without=_WITHOUT)
                # An empty file has lost its lines.
                for line in text.splitlines() or ['']
            ]
        latest = folder.latest_step()
        self._lines = [line for line in self._lines if line['step'] <= latest]

    @property
    def steps(self) -> list[int]:
        """The validated steps, ascending."""
        return [line['step'] for line in self._lines]

    @property
    def last(self) -> dict[str, Any]:
        """The last validation; empty before the first one."""
        return self._lines[-1] if self._lines else {}

    def is_best(self, accuracy: float, step: int) -> bool:
        """Whether an accuracy is higher than the accuracies of all validations before a step."""
        return accuracy > max(self._accuracies(step), default=-1.0)

    def without_progress(self) -> int:
        """How many validations have come since the best one."""
        accuracies = self._accuracies()
        return len(accuracies) - 1 - accuracies.index(max(accuracies)) if accuracies else 0

    def _accuracies(self, before: float = math.inf) -> list[float]:
        known = (line for line in self._lines if line['step'] < before)
        return [line['accuracy'] for line in known if line.get('labelled')]

    def add(self, line: dict[str, Any]) -> None:
        """Adds a line to the file; the file is never half written."""
        self._lines.append(line)
        write_atomically(self._path, ''.join(json.dumps(x) + '\n' for x in self._lines))


class LogValidation:
    """An evaluation action: the means over the split, with step, epochs and seconds of training."""

    def __init__(
        self,
        log: ValidationLog,
        *,
        phase: str,
        global_step: tf.Variable,
        seconds: tf.Variable,
        steps_per_epoch: int,
    ) -> None:
        self._log, self._phase, self._step, self._seconds = log, phase, global_step, seconds
        self._steps_per_epoch = steps_per_epoch

    def __call__(self, logs: dict[str, float]) -> None:
        """Adds a line."""
        step = int(self._step.numpy())
        place = {
            'phase': self._phase,
            'step': step,
            'epochs': round(step / self._steps_per_epoch, 3),
            'seconds': round(float(self._seconds.numpy()), 1),
        }
        self._log.add(place | {name: float(value) for name, value in logs.items()})
