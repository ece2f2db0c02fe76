"""The outputs of a run: files, messages and TensorBoard."""

from typing import NamedTuple

from trainer.monitoring.progress import Reporter
from trainer.monitoring.tensorboard import Logs
from trainer.run_dir.folder import ModelDir


class Outlets(NamedTuple):
    """A run's folder, its terminal or log, and its TensorBoard files."""

    folder: ModelDir
    reporter: Reporter
    logs: Logs
