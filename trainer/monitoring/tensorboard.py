"""TensorBoard's files: what cannot be written there ends no run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orbit
import tensorflow as tf

from pipelines.format.errors import first_line


class Logs:
    """Writers of a run's TensorBoard folders; a full disk is said once, and training goes on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said = say, False

    @contextmanager
    def surviving(self) -> Iterator[None]:
        """Within, what TensorBoard's files cannot take is lost, and that is said once."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            if not self._said:
                self._say(
                    f'TensorBoard: {first_line(error)}; training goes on, curves will have gaps'
                )
            self._said = True

    def action(self, inner: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        """An action that writes nothing but such files, as one that ends no run."""

        def act(logs: dict[str, Any]) -> None:
            """Calls the action."""
            with self.surviving():
                inner(logs)

        return act

    def manager(self, folder: str, global_step: tf.Variable) -> orbit.utils.SummaryManagerInterface:
        """Orbit's own manager of a folder, which ends no run."""
        return _Manager(self, folder, global_step)

    def write_text(self, folder: str, name: str, text: str, *, step: int) -> None:
        """Writes one text."""
        with self.surviving():
            writer = tf.summary.create_file_writer(folder)
            with writer.as_default(step=step):
                tf.summary.text(name, text)
            writer.close()


class _Manager(orbit.utils.SummaryManager):
    def __init__(self, logs: Logs, folder: str, global_step: tf.Variable) -> None:
        super().__init__(folder, tf.summary.scalar, global_step=global_step)
        self._logs = logs

    def write_summaries(self, summary_dict: dict[str, Any]) -> None:
        """Writes numbers."""
        with self._logs.surviving():
            super().write_summaries(summary_dict)

    def flush(self) -> None:
        """Writes what is still in memory."""
        with self._logs.surviving():
            super().flush()
