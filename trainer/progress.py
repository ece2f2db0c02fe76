"""Lines that a person watches: phase, step, losses, accuracy, speed, time left; evaluations."""

import sys
import time
from collections.abc import Callable

import tensorflow as tf

_SHORT = {
    'loss': 'loss',
    'supervised_loss': 'supervised',
    'reconstruction_loss': 'reconstruction',
    'prediction_loss': 'prediction',
    'accuracy': 'accuracy',
}


def duration(seconds: float) -> str:
    """Seconds -> '1:02:03' or '2:03'."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02}:{seconds:02}' if hours else f'{minutes}:{seconds:02}'


def describe(logs: dict[str, float]) -> str:
    """The losses and the accuracy of a loop or an evaluation, in a fixed order."""
    parts = []
    for name, label in _SHORT.items():
        if name not in logs:
            continue
        value = f'{logs[name]:6.1%}' if name == 'accuracy' else f'{logs[name]:.4f}'
        parts.append(f'{label} {value}')
    return '  '.join(parts)


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
    for name in ('reconstruction', 'prediction'):
        for unit in ('bits_per_step', 'squared_error'):
            if f'{name}_{unit}' in logs:
                parts.append(f'{name} {logs[f"{name}_{unit}"]:.4f} {unit.replace("_", " ")}')
    return '  '.join(parts)


class ProgressLine:
    """A training action: one line per loop on stderr."""

    def __init__(
        self,
        *,
        phase: str,
        global_step: tf.Variable,
        last_step: int,
        write: Callable[[str], None] | None = None,
    ) -> None:
        self._phase, self._step, self._last = phase, global_step, last_step
        self._write = write or (lambda line: print(line, file=sys.stderr, flush=True))
        self._before = (time.monotonic(), int(global_step.numpy()))

    def __call__(self, logs: dict[str, float]) -> None:
        """Prints the loop's means; the first loop's speed includes tracing."""
        now, step = time.monotonic(), int(self._step.numpy())
        since, before = self._before
        self._before = (now, step)
        rate = (step - before) / max(now - since, 1e-9)
        left = duration((self._last - step) / rate) if rate > 0 else '?'
        self._write(
            f'{self._phase}  step {step}/{self._last}  {describe(logs)}  '
            f'{rate:.2f} steps/s  {left} left'
        )
