"""Curves of one run: learning, memory, the auxiliary losses, the reach of gradients."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from tools.event_files import read_values
from tools.report.charts import Axes, Line, beside, chart, legend
from tools.report.run_files import RunFiles

# By title, what accuracy is drawn over.
ACCURACY_AXES = {
    'Validation accuracy over steps': (
        'step',
        Axes('training steps', 'accuracy (%)', (0, 100), left=0),
    ),
    'Validation accuracy over wall time': (
        'minutes',
        Axes('wall time (minutes)', 'accuracy (%)', (0, 100), left=0),
    ),
}
_LOSSES = ('supervised', 'replication', 'reconstruction', 'prediction')
_STEPS = 'training steps'


def number(value: Any) -> float:
    """A number of a file; NaN for anything else."""
    return float(value) if isinstance(value, (int, float)) else math.nan


def accuracy(run: RunFiles, *, over: str, colour: int = 0, band: bool = True) -> Line | None:
    """The validation accuracy in percent over 'step' or 'minutes'; None without any."""
    rows = [v for v in run.validations if v.get('labelled')]
    if not rows:
        return None
    x = [number(v.get('seconds')) / 60 if over == 'minutes' else v['step'] for v in rows]
    middle, low, high = (
        [100 * number(v.get(name)) for v in rows]
        for name in ('accuracy', 'accuracy_low', 'accuracy_high')
    )
    return Line(x, middle, colour, low if band else None, high if band else None)


def learning(run: RunFiles) -> str:
    """Accuracy over steps and over wall time, and the losses over steps."""
    shown = []
    for title, (over, axes) in ACCURACY_AXES.items():
        line = accuracy(run, over=over)
        if line is not None:
            shown.append(chart(title, [line], axes))
    points = _training_loss(run)
    names, colours = ['training', 'validation'], [0, 1]
    if not points:
        names, colours = names[1:], colours[1:]
    for title, over, label in (
        ('Loss, all parts weighted', 'step', _STEPS),
        ('Loss over wall time', 'minutes', 'wall time (minutes)'),
    ):
        key = legend(names, colours=colours)
        lines = losses(run, points, over=over)
        shown.append(chart(title, lines, Axes(label, 'loss'), key=key))
    return f'{beside(*shown)}<p class="note">Bands are 95 % intervals of the accuracy.</p>'


def losses(run: RunFiles, points: dict[int, float], *, over: str) -> list[Line]:
    """The losses of training, where known, and of validation.

    Args:
      run: validated.
      points: losses of training by step.
      over: 'step' or 'minutes'.
    """
    rows = run.validated
    steps, times = [v['step'] for v in rows], [number(v.get('seconds')) / 60 for v in rows]
    x, trained = steps, list(points)
    if over == 'minutes':
        # Only validations say when they were: between them the time is taken to pass evenly.
        x = times
        trained = list(np.interp(trained, [0, *steps], [0.0, *times]))
    validation = Line(x, [number(v.get('loss')) for v in rows], 1)
    return [Line(trained, list(points.values()), 0), validation] if points else [validation]


def _training_loss(run: RunFiles) -> dict[int, float]:
    """The loss of training loops by step; {} where TensorBoard's files do not say."""
    try:
        found = read_values(Path(run.folder) / 'train', wanted=lambda tag: tag == 'loss')
    except tf.errors.DataLossError:
        # A run that goes on, or was killed, may have written half of an event.
        return {}
    return {step: float(value) for step, value in sorted(found.get('loss', {}).items())}


def memory_line(run: RunFiles, *, colour: int = 0) -> Line | None:
    """The memory curve in percent; None where no evaluation has one."""
    curves = [e.get('memory_curve') for e in run.evaluations.values()]
    curve = next(filter(None, curves), None)
    if curve is None:
        return None
    shares = [math.nan if x is None else 100 * x for x in curve['explained']]
    return Line(curve['distances'], shares, colour, marked=True)


MEMORY_AXES = Axes('steps back from the end', 'variance read (%)', (0, 100), left=0)


def memory(run: RunFiles) -> str:
    """How much of the past a linear probe reads from the last state."""
    line = memory_line(run)
    if line is None:
        raise LonghaulError(
            f'{run.name}: no evaluation has a memory curve: too few examples, or none was '
            'evaluated; run --mode=eval'
        )
    drawn = chart('Memory', [line], MEMORY_AXES)
    return (
        f'<p>The share of the past that a linear probe reads from the last state, by distance. '
        f'A gap is a distance at which all sequences are alike.</p>{beside(drawn)}'
    )


def auxiliary(run: RunFiles) -> str:
    """State use of the auxiliary losses, and the balance of all losses, over validations."""
    shown, used = [], []
    for suffix, title, axes in (
        ('state_use', 'State use', Axes(_STEPS, 'share due to the state (%)', (None, 100))),
        ('recurrent_gradient', 'Balance', Axes(_STEPS, 'norm on the kernel', (0, None))),
    ):
        lines = []
        for i, loss in enumerate(_LOSSES):
            key, scale = f'{loss}_{suffix}', 100 if suffix == 'state_use' else 1
            rows = [v for v in run.validated if key in v]
            if rows:
                values = [scale * number(v[key]) for v in rows]
                lines.append(Line([v['step'] for v in rows], values, i))
                used.append(i)
        if lines:
            shown.append(chart(title, lines, axes))
    if not shown:
        raise LonghaulError(
            f'{run.name}: measured no state use: it has no loss at anchors, or '
            'RunConfig.diagnostics=False; train an r-LSTM or p-LSTM with diagnostics'
        )
    numbers = sorted(set(used))
    return (
        '<p>State use is 1 - loss / loss with the states of other sequences: near 0 an auxiliary '
        "loss cannot teach anything. Balance is the norm of each weighted loss's gradient on the "
        f'recurrent kernel.</p>{beside(*shown)}'
        f'{legend([_LOSSES[i] for i in numbers], colours=numbers)}'
    )


def reach(run: RunFiles) -> str:
    """The norm of each loss's gradient by distance, at the last validation."""
    found = read_values(
        Path(run.folder) / 'validation', wanted=lambda tag: tag.startswith('gradient_reach/')
    )
    points: dict[str, dict[int, float]] = {}
    for tag, by_step in found.items():
        match = re.fullmatch(r'gradient_reach/(\w+)_(\d+)', tag)
        norm = float(np.asarray(by_step[max(by_step)]))
        if match and match[1] in _LOSSES and norm > 0:
            points.setdefault(match[1], {})[int(match[2])] = norm
    if not points:
        raise LonghaulError(
            f'{run.name}: recorded no reach of gradients: RunConfig.diagnostics=False, a model '
            'without truncation, or no TensorBoard files; train with diagnostics'
        )
    used = [i for i, loss in enumerate(_LOSSES) if loss in points]
    lines = []
    for i in used:
        x = sorted(points[_LOSSES[i]])
        lines.append(Line(x, [points[_LOSSES[i]][d] for d in x], i, marked=True))
    axes = Axes('steps before the loss', 'gradient norm', logarithmic=True)
    names = legend([_LOSSES[i] for i in used], colours=used)
    return f'{beside(chart("Gradient reach at the last validation", lines, axes))}{names}'
