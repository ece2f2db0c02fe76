"""Whole runs through the command, in this process."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from trainer import commands
from trainer.commands import Command
from trainer.run_dir.folder import ModelDir


def execute(
    gin_file: str | None,
    model_dir: str | Path,
    mode: str,
    *params: str,
    records: str | None = None,
    **flags: Any,
) -> int:
    files = [] if gin_file is None else [gin_file]
    # Seconds of every export; tests/trainer/serving/test_lite.py has it.
    flags = {'tflite': False, **flags}
    return commands.execute(
        Command(mode, str(model_dir), files, list(params), records=records, **flags)
    )


def variables(model_dir: str | Path) -> dict[str, np.ndarray]:
    """All that the latest checkpoint holds, the optimizer's slots included, but for its age."""
    reader = tf.train.load_checkpoint(ModelDir(str(model_dir)).checkpoints)
    others = ('_CHECKPOINTABLE', 'save_counter', 'seconds')
    names = [n for n in reader.get_variable_to_shape_map() if not n.startswith(others)]
    return {n: reader.get_tensor(n) for n in names}


class KilledError(Exception):
    """Ends a run inside of its loop."""


@contextlib.contextmanager
def killed_after(stop: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kills the run inside when step `stop` + 1 is done but not yet in a checkpoint."""

    class Killer:
        def __init__(self, *, global_step: tf.Variable, **_: Any) -> None:
            self.step = global_step

        def __call__(self, logs: dict[str, float]) -> None:
            if self.step >= stop + 1:
                raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr('trainer.training.phase_actions.ProgressLine', Killer)
        with pytest.raises(KilledError):
            yield
