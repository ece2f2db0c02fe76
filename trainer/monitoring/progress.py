"""The messages of a run: one line on a terminal, few lines in a log, or JSON.

On a terminal, each training line overwrites the line before. Elsewhere, a training line is written
at most every half minute. With `--log_format=json`, each line is a JSON object with an `event`.
"""

import json
import math
import sys
import time
from typing import Any, TextIO

import tensorflow as tf

from pipelines.status_line import StatusLine
from trainer.monitoring.pace import Pace

_SHORT = {
    'loss': 'loss',
    'supervised_loss': 'supervised',
    'replication_loss': 'at anchors',
}
_KNOWN = {*_SHORT, 'reconstruction_loss', 'prediction_loss'}
_QUIET_SECONDS = 30.0


def duration(seconds: float) -> str:
    """Seconds -> '1:02:03' or '2:03'."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def describe(logs: dict[str, float]) -> str:
    """The losses and the accuracy of a loop, in a fixed order, in the units of `summarize`."""
    parts = [f'{label} {logs[name]:.4f}' for name, label in _SHORT.items() if name in logs]
    parts += _auxiliary(logs)
    own = [name for name in logs if name.endswith('_loss') and name not in _KNOWN]
    parts += [f'{name.removesuffix("_loss")} {logs[name]:.4f}' for name in own]
    if 'accuracy' in logs:
        parts.append(f'accuracy {logs["accuracy"]:6.1%}')
    return '  '.join(parts)


def _auxiliary(logs: dict[str, float]) -> list[str]:
    """The auxiliary losses in the units of `LonghaulTask.auxiliary_units`, and their state use."""
    parts = []
    for name in ('reconstruction', 'prediction'):
        for unit in ('bits_per_step', 'squared_error'):
            if f'{name}_{unit}' in logs:
                parts.append(f'{name} {logs[f"{name}_{unit}"]:.4f} {unit.replace("_", " ")}')
        if f'{name}_explained' in logs:
            parts.append(f'{name} {logs[f"{name}_explained"]:.1%} explained')
        if f'{name}_state_use' in logs:
            parts.append(f'{name} state use {logs[f"{name}_state_use"]:.1%}')
    return parts


def summarize(logs: dict[str, float]) -> str:
    """An evaluation in one line: accuracy with interval, losses and their units."""
    parts = []
    if logs.get('labelled'):
        parts.append(
            f'accuracy {logs["accuracy"]:.2%} (95 % interval {logs["accuracy_low"]:.2%} to '
            f'{logs["accuracy_high"]:.2%}, {logs["labelled"]:.0f} examples)'
        )
        if 'top_5_accuracy' in logs:
            parts.append(f'top 5 {logs["top_5_accuracy"]:.2%}')
        parts.append(f'supervised {logs["supervised_loss"]:.4f}')
    parts += _auxiliary(logs)
    if 'memory' in logs:
        parts.append(f'memory {logs["memory"]:.1%}')
    return '  '.join(parts)


class Reporter:
    """Writes a run's messages to stderr."""

    def __init__(
        self, log_format: str = 'auto', *, quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        """Sets the format of the messages.

        Args:
          log_format: 'auto' (depends on whether the stream is a terminal), 'text' (one line for
            each loop, never overwritten) or 'json'.
          quiet: whether to write nothing, because another worker of the run does.
          stream: where to write; None: stderr.
        """
        self._stream = stream or sys.stderr
        self._json, self._quiet = log_format == 'json', quiet
        self._status = StatusLine(self._stream)
        self._terminal = log_format == 'auto' and self._status.on
        self._pause = _QUIET_SECONDS if log_format == 'auto' and not self._terminal else 0.0
        self._said_at = -math.inf

    def message(self, text: str) -> None:
        """Writes a message of one line."""
        self._line(text, event='message', text=text)

    def begin(self, text: str) -> None:
        """Says what begins and may take a while; on a terminal until the next line."""
        self._line(text, over=self._terminal, event='begin', text=text)

    def training(
        self,
        *,
        phase: str,
        step: int,
        last_step: int,
        logs: dict[str, float],
        rate: float | None,
        left: float | None,
    ) -> None:
        """Reports a training loop.

        Args:
          phase: its name.
          step: that the loop has ended with.
          last_step: of the phase.
          logs: means over the loop.
          rate: in steps a second; None: unknown.
          left: seconds until all is done; None: unknown.
        """
        values = {'phase': phase, 'step': step, 'last_step': last_step, **logs}
        values |= {'steps_per_second': rate and round(rate, 4)}
        values |= {'seconds_left': left and round(left, 1)}
        now = time.monotonic()
        if not self._json and now - self._said_at < self._pause and step < last_step:
            return
        self._said_at = now
        text = (
            f'{phase}  step {step}/{last_step}  {describe(logs)}  '
            f'{"?" if rate is None else f"{rate:.2f}"} steps/s  '
            f'{"?" if left is None else duration(left)} left'
        )
        self._line(text, over=self._terminal and step < last_step, event='training', **values)

    def evaluation(self, split: str, step: int, logs: dict[str, Any]) -> None:
        """Reports the results of an evaluation."""
        self._line(
            f'{split}  {summarize(logs)}', event='evaluation', split=split, step=step, **logs
        )

    def close(self) -> None:
        """Ends the line that the next one would overwrite, so that other code can write."""
        self._status.keep()

    def _line(self, said: str, /, *, over: bool = False, **values: Any) -> None:
        if self._quiet:
            return
        if self._json:
            said = json.dumps({k: _plain(v) for k, v in values.items()})
        show = self._status.show if over else self._status.write
        show(said)


def _plain(value: Any) -> Any:
    value = value.item() if hasattr(value, 'item') else value
    # JSON cannot express NaN or infinity.
    return None if isinstance(value, float) and not math.isfinite(value) else value


class ProgressLine:
    """A training action: reports each loop."""

    def __init__(
        self,
        *,
        phase: str,
        global_step: tf.Variable,
        first_step: int,
        last_step: int,
        reporter: Reporter,
        pace: Pace | None = None,
    ) -> None:
        """Prepares to report.

        Args:
          phase: its name.
          global_step: scalar int64.
          first_step: of the phase.
          last_step: of the phase.
          reporter: takes the lines.
          pace: of the phase; None: it is measured here, and nothing but steps is left to do.
        """
        self._phase, self._step, self._last = phase, global_step, last_step
        self._reporter, self._pace = reporter, pace or Pace(last_step=last_step)
        self._pace.start(first_step)

    def __call__(self, logs: dict[str, float]) -> None:
        """Reports the loop's means."""
        step = int(self._step.numpy())
        rate = self._pace.rate(step)
        self._reporter.training(
            phase=self._phase,
            step=step,
            last_step=self._last,
            logs=logs,
            rate=rate,
            left=self._pace.left(step, rate),
        )
