"""TensorBoard's files; a file that cannot be written does not end the run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orbit
import tensorflow as tf

from pipelines.format.errors import first_line


class Logs:
    """Writers of a run's TensorBoard folders. They report the first error; training goes on."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._said = say, False

    @contextmanager
    def surviving(self) -> Iterator[None]:
        """Inside this context, an error while writing is swallowed; the first one is reported."""
        try:
            yield
        except (tf.errors.OpError, OSError) as error:
            if not self._said:
                self._say(
                    f'TensorBoard: {first_line(error)}; training goes on, curves will have gaps'
                )
            self._said = True

    def action(self, inner: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        """Wraps an action that writes only TensorBoard files, so that its errors end no run."""

        def act(logs: dict[str, Any]) -> None:
            """Calls the action."""
            with self.surviving():
                inner(logs)

        return act

    def manager(self, folder: str, global_step: tf.Variable) -> orbit.utils.SummaryManagerInterface:
        """Orbit's summary manager for a folder; its write errors end no run."""
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
