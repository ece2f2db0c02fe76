"""The paper's table of results with our numbers in place, and a list of what was not run."""

import math
import re
from pathlib import Path
from typing import Any

from tools.reproduce.groups import Group, best_within, finished_groups, own_params
from tools.reproduce.paper import Experiment
from tools.tables import table

# By folder of gin/, the paper's columns; by the name of a gin file, its rows.
_DATA = {'mnist': 'MNIST', 'pmnist': 'pMNIST', 'cifar10': 'CIFAR-10'}
_MODELS = {
    'lstm_full': 'LSTM, full BPTT',
    'lstm_300': 'LSTM, truncation 300',
    'r_lstm_300': 'r-LSTM, truncation 300',
    'p_lstm_300': 'p-LSTM, truncation 300',
    'r_lstm_full': 'r-LSTM, full BPTT',
    'p_lstm_full': 'p-LSTM, full BPTT',
    'transformer': 'Transformer',
}
_WHO = ('paper', 'here')
_Best = dict[str, Group]


def paper_table(experiments: list[Experiment], lines: list[dict[str, Any]]) -> str:
    """The paper's table beside our best runs, chosen on validation; below it each of these runs.

    Args:
      experiments: of the gin files.
      lines: of all results.
    """
    groups = [g for g in finished_groups(lines) if g.mean('test_accuracy') is not None]
    best: _Best = {}
    for experiment in experiments:
        own = [g for g in groups if g.gin_file == experiment.gin_file]
        found = best_within(own, value='epochs', limit=math.inf)
        if found is not None:
            best[experiment.gin_file] = found
    run = [e for e in experiments if e.gin_file in best]
    missing = ', '.join(f'`{e.gin_file}`' for e in experiments if e.gin_file not in best)
    parts = [_table_of_the_paper(experiments, best), _runs(run, best)]
    return '\n\n'.join([*parts, *[f'Not run to the end yet: {missing}.'] * bool(missing)])


def _table_of_the_paper(experiments: list[Experiment], best: _Best) -> str:
    by_place = {tuple(Path(e.gin_file).with_suffix('').parts[-2:]): e for e in experiments}
    head = ['test accuracy, %', *(f'{data}: {who}' for data in _DATA.values() for who in _WHO)]
    rows = []
    for stem, title in _MODELS.items():
        cells = (_cells(by_place.get((folder, stem)), best) for folder in _DATA)
        rows.append([title, *(cell for pair in cells for cell in pair)])
    return table(head, rows)


def _cells(experiment: Experiment | None, best: _Best) -> tuple[str, str]:
    """The paper's number and ours."""
    if experiment is None:
        return '-', '-'
    number = re.match(r'[\d.]+(?= %)', experiment.paper)
    group = best.get(experiment.gin_file)
    return number[0] if number else '-', '-' if group is None else _brief(group)


def _brief(group: Group) -> str:
    count = len(group.lines)
    seeds = f'{count} seeds' if count > 1 else '1 seed'
    accuracy = group.interval('test_accuracy').replace('%', '')
    return f'**{accuracy}** ({seeds}, {group.mean("epochs"):.3g} epochs)'


def _runs(experiments: list[Experiment], best: _Best) -> str:
    head = ['experiment', 'paper', 'here, test', 'epochs, wall time', 'with']
    return table(
        head, [[f'`{e.gin_file}`', e.paper, *_ours(best[e.gin_file])] for e in experiments]
    )


def _ours(group: Group) -> list[str]:
    params = ' '.join(f'`{p}`' for p in own_params(group.lines[0])) or 'nothing else'
    return [
        group.spread('test_accuracy'),
        f'{group.mean("epochs"):.3g}, {group.wall_time}',
        f'{params}; seeds {group.seeds}; `{group.lines[0]["commit"]}`',
    ]
