"""Pictures of a queue's results: accuracy over epochs, over wall time, and over the truncation."""

import math
import re
import statistics
from pathlib import Path
from typing import Any

import numpy as np

from tools import drawing
from tools.reproduce import lines as results
from tools.reproduce.groups import Group, best_within, finished_groups

# Fewer points are no curve.
_FEWEST = 3
_WEIGHT = re.compile(r'ObjectiveConfig\.(\w+)_weight *=')
# What a gin file's name says of its losses: r_lstm, p_lstm, rp_lstm.
_LETTERS = {'reconstruction': 'r', 'prediction': 'p', 'replication': '-', 'supervised': '-'}


def draw(lines: list[dict[str, Any]], output: Path) -> None:
    """Draws every run that has been validated twice, a colour for each gin file.

    Args:
      lines: of a queue's results.
      output: the PNG file to write.
    """
    methods: dict[str, int] = {}
    with drawing.panels(output, columns=2, size=(9.6, 3.8), dpi=110, sharey=True) as axes:
        over_epochs, over_time = axes[0]
        for run in dict.fromkeys(line['run'] for line in lines):
            found = [
                line
                for line in results.validations(lines, run)
                if line['validation_accuracy'] is not None
            ]
            if len(found) < 2:
                continue
            method = Path(found[0]['gin_file']).stem
            colour = f'C{methods.setdefault(method, len(methods))}'
            accuracy = [100 * line['validation_accuracy'] for line in found]
            style = {'color': colour, 'linewidth': 1.2, 'marker': 'o', 'markersize': 2}
            over_epochs.plot([line['epochs'] for line in found], accuracy, **style)
            over_time.plot([line['seconds'] / 60 for line in found], accuracy, **style)
        for method, number in methods.items():
            over_epochs.plot([], [], color=f'C{number}', label=method)
        over_epochs.set(xlabel='epochs, pre-training counted', ylabel='validation accuracy (%)')
        over_time.set(xlabel='wall time (minutes)')
        for panel in axes[0]:
            panel.grid(alpha=0.3)
        if methods:
            over_epochs.legend(loc='lower right')


def truncation_curves(lines: list[dict[str, Any]]) -> dict[str, dict[str, dict[int, Group]]]:
    """The best groups on validation by data set, method and BPTT_STEPS (ascending).

    A method is a gin file, with the losses that parameters have added to it. All groups of a data
    set have trained for equally many steps: the number that most groups have.
    A method with fewer than three truncations is left out.
    """
    known = [g for g in finished_groups(lines) if _truncation(g) is not None]
    found = {}
    for records in dict.fromkeys(g.lines[0].get('records') for g in known):
        own = [g for g in known if g.lines[0].get('records') == records]
        steps = statistics.mode(g.lines[0]['steps'] for g in own)
        own = [g for g in own if g.lines[0]['steps'] == steps]
        arms = dict.fromkeys(map(_arm, own))
        curves = {arm: _best_by_truncation([g for g in own if _arm(g) == arm]) for arm in arms}
        curves = {method: points for method, points in curves.items() if len(points) >= _FEWEST}
        if curves:
            found[str(records)] = curves
    return found


def _best_by_truncation(groups: list[Group]) -> dict[int, Group]:
    by_truncation: dict[int, list[Group]] = {}
    for group in groups:
        by_truncation.setdefault(_truncation(group) or 0, []).append(group)
    best = {s: best_within(by_truncation[s], value='epochs', limit=math.inf) for s in by_truncation}
    return {s: group for s, group in sorted(best.items()) if group is not None}


def _arm(group: Group) -> str:
    """The method of a group: 'r_lstm', or 'r_lstm, replication' with another loss."""
    letters = group.method.partition('_lstm')[0]
    found = [match[1] for p in group.params if (match := _WEIGHT.match(p))]
    return ', '.join([group.method, *(loss for loss in found if _LETTERS[loss] not in letters)])


def _truncation(group: Group) -> int | None:
    """BPTT_STEPS of a group whose test accuracy is known; None if it does not set them."""
    given = [p.partition('=') for p in group.params]
    found = [value.strip() for name, _, value in given if name.strip() == 'BPTT_STEPS']
    known = found and found[-1].isdecimal() and group.mean('test_accuracy') is not None
    return int(found[-1]) if known else None


def draw_truncations(lines: list[dict[str, Any]], output: Path) -> None:
    """Draws test accuracy over BPTT_STEPS: a panel for each data set, a curve for each method.

    Args:
      lines: of a queue's results.
      output: the PNG file to write.
    """
    panels = truncation_curves(lines)
    size = (4.8 * max(1, len(panels)), 3.8)
    with drawing.panels(output, columns=max(1, len(panels)), size=size, dpi=110) as axes:
        for panel, (records, curves) in zip(axes[0], panels.items(), strict=False):
            for method, points in curves.items():
                errors = 100 * np.array([g.half_interval('test_accuracy') for g in points.values()])
                accuracy = [100 * (g.mean('test_accuracy') or 0) for g in points.values()]
                panel.errorbar(
                    list(points), accuracy, errors, label=method, marker='o', markersize=3
                )
            (steps,) = {g.lines[0]['steps'] for points in curves.values() for g in points.values()}
            panel.set_xscale('symlog', linthresh=1)
            panel.set(xlabel='BPTT_STEPS (S)', ylabel='test accuracy (%)')
            panel.set_title(f'{records}, {steps:,} steps', fontsize='medium')
            panel.grid(alpha=0.3)
            panel.legend(loc='lower right')


def draw_over_time(lines: list[dict[str, Any]], output: Path) -> None:
    """Draws validation accuracy over wall time: a panel for each data set, a curve for each run.

    Runs that were validated less than three times are left out.

    Args:
      lines: of a queue's results.
      output: the PNG file to write.
    """
    groups = finished_groups(lines)
    names = list(dict.fromkeys(str(g.lines[0].get('records')) for g in groups))
    # An arm has one colour in all panels.
    arms = list(dict.fromkeys(map(_arm, groups)))
    columns = max(1, len(names))
    size = (3.4 * columns, 3.6)
    with drawing.panels(output, columns=columns, size=size, dpi=110, sharey=True) as axes:
        for panel, name in zip(axes[0], names, strict=False):
            for group in (g for g in groups if str(g.lines[0].get('records')) == name):
                _draw_over_time(panel, group, lines, colour=f'C{arms.index(_arm(group))}')
            panel.set(xlabel='wall time (minutes)', xlim=(0, None), ylim=(0, 100))
            panel.set_title(name, fontsize='medium')
            panel.grid(alpha=0.3)
            if panel.get_legend_handles_labels()[0]:
                panel.legend(loc='lower right', fontsize='small')
        axes[0, 0].set(ylabel='validation accuracy (%)')


def _draw_over_time(panel: Any, group: Group, lines: list[dict[str, Any]], *, colour: str) -> None:
    label = f'{_arm(group)}, S = {_truncation(group)}'
    for ended in group.lines:
        found = results.validations(lines, ended['run'])
        if len(found) < _FEWEST:
            continue
        minutes = [line['seconds'] / 60 for line in found]
        accuracy = [100 * line['validation_accuracy'] for line in found]
        panel.plot(minutes, accuracy, label=label, color=colour, marker='o', markersize=3)
        label = ''
