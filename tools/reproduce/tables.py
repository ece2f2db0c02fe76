"""Tables of results, in Markdown."""

import statistics
from pathlib import Path
from typing import Any

from tools.reproduce import lines as results
from tools.reproduce.groups import Group, best_within, finished_groups
from tools.reproduce.paper import read_experiment
from tools.reproduce.queue import Entry
from tools.tables import table
from trainer.monitoring.progress import duration

_EPOCHS, _MINUTES = (1, 2, 5, 10, 20, 40, 80), (2, 5, 10, 20, 40, 80, 160)


def _said(gin_file: str, params: tuple[str, ...]) -> str:
    return ' '.join(f'`{word}`' for word in (gin_file, *params))


def _paper(gin_file: str) -> str:
    experiment = read_experiment(gin_file) if Path(gin_file).exists() else None
    return experiment.paper if experiment else '-'


def runs_table(entries: list[Entry], lines: list[dict[str, Any]]) -> str:
    """A row for every run of a queue, in the order of the queue, done or not.

    Args:
      entries: of the queue.
      lines: of its results.
    """
    head = ['run', 'seed', 'epochs', 'wall time', 'validation', 'test (95 % interval)', 'paper']
    rows = [[*head, 'commit'], *(_run_row(entry, lines) for entry in entries)]
    if all(entry.validation_only for entry in entries):
        # Nothing to compare: the test split was not looked at.
        rows = [[*row[:5], row[7]] for row in rows]
    return table(rows[0], rows[1:])


def _run_row(entry: Entry, lines: list[dict[str, Any]]) -> list[str]:
    said = _said(entry.gin_file, tuple(p for p in entry.params if not p.startswith('SEED=')))
    budget = f' --budget={entry.budget}' if entry.budget else ''
    row = [said + budget, str(entry.seed)]
    ended = results.outcome(lines, entry.run)
    validated = results.validations(lines, entry.run)
    if ended and 'error' in ended:
        return [*row, '-', duration(ended['seconds']), f'failed: {ended["error"]}', '-', '-', '-']
    line = ended or (validated[-1] if validated else None)
    if line is None:
        return [*row, 'not run', '-', '-', '-', _paper(entry.gin_file), '-']
    epochs = f'{line["epochs"]:.4g}'
    if not line['finished']:
        epochs += ', unfinished'
    elif line['epochs'] < line['asked_epochs'] * 0.99:
        epochs += f' of {line["asked_epochs"]:.4g}'
    test = results.percent(line['test_accuracy'])
    if line['test_interval']:
        test += ' ({:.2%} to {:.2%})'.format(*line['test_interval'])
    return [
        *row,
        epochs,
        duration(line['seconds']),
        results.percent(line['validation_accuracy']),
        test,
        _paper(entry.gin_file),
        f'`{line["commit"]}`',
    ]


def means_table(lines: list[dict[str, Any]]) -> str:
    """Means over seeds: a row for all runs that differ in nothing else, by data, then by length.

    Args:
      lines: of a queue's results.
    """
    groups = finished_groups(lines)
    data = list(dict.fromkeys(g.lines[0].get('records') or '-' for g in groups))
    groups.sort(key=lambda g: (data.index(g.lines[0].get('records') or '-'), g.lines[0]['steps']))
    head = ['data', 'run', 'steps', 'seeds', 'test', 'memory', 'state use', 'wall time']
    return table(head, [_means_row(group) for group in groups])


def _means_row(group: Group) -> list[str]:
    line = group.lines[0]
    hidden = ('MEMORY_STEPS', 'TRAIN_STEPS')
    params = tuple(p for p in group.params if p.partition('=')[0].strip() not in hidden)
    curves = [one.get('memory_curve') for one in group.lines]
    known = [curve['total'] for curve in curves if curve]
    uses = [use for one in group.lines for use in (one.get('state_use') or {}).values()]
    return [
        f'`{line.get("records", "-")}`',
        _said(group.method, params),
        f'{line["steps"]:,}',
        str(len(group.lines)),
        group.interval('test_accuracy'),
        f'{statistics.fmean(known):.0%}' if known else '-',
        f'{statistics.fmean(uses):.0%}' if uses else '-',
        group.wall_time,
    ]


def budget_table(lines: list[dict[str, Any]], value: str) -> str:
    """What each method reaches within the same epochs or the same wall time.

    Args:
      lines: of a queue's results.
      value: 'epochs' or 'seconds'.
    """
    groups = finished_groups(lines)
    methods = list(dict.fromkeys(g.method for g in groups))
    ladder, unit = (_EPOCHS, 'epochs') if value == 'epochs' else (_MINUTES, 'minutes')
    rows: dict[tuple, list[str]] = {}
    for limit in ladder:
        most = limit if value == 'epochs' else limit * 60
        own = ([g for g in groups if g.method == m] for m in methods)
        best = tuple(best_within(some, value=value, limit=most) for some in own)
        # A larger budget that changes nothing has no row.
        if any(best):
            rows.setdefault(best, [f'{limit} {unit}', *map(_within, best)])
    return table(['no more than', *methods], list(rows.values()))


def _within(group: Group | None) -> str:
    if group is None:
        return '-'
    return (
        f'{group.spread("test_accuracy")}; {group.mean("epochs"):.3g} epochs, '
        f'{group.wall_time}, seeds {group.seeds}'
    )
