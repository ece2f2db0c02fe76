"""A sweep's results: a row for each setting, with mean and spread over its seeds, best first."""

import math
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools.reproduce import lines
from tools.reproduce.groups import Group, finished_groups
from tools.tables import table


def sweep_table(found: list[dict[str, Any]], *, padded: bool = False) -> str:
    """The finished runs of a queue, by what differs between them; best on validation first.

    Args:
      found: lines of the queue's results.
      padded: for a terminal.
    """
    groups = finished_groups(found)
    groups.sort(key=lambda g: -(g.mean('validation_accuracy') or -math.inf))
    settings = [_settings(group) for group in groups]
    names = list(dict.fromkeys(name for values in settings for name in values))
    differ = [n for n in names if len({values.get(n) for values in settings}) > 1]
    rows = [
        [
            *(values.get(name, '-') for name in differ),
            str(len(group.lines)),
            _spread(group, 'validation_accuracy'),
            _spread(group, 'test_accuracy'),
            group.wall_time,
        ]
        for group, values in zip(groups, settings, strict=True)
    ]
    head = [*differ, 'seeds', 'validation: mean, spread', 'test: mean, spread', 'wall time']
    return table(head, rows, padded=padded)


def _settings(group: Group) -> dict[str, str]:
    """All that tells a group from others, by name."""
    own = (param.partition('=') for param in group.params)
    line = group.lines[0]
    said = {'gin file': group.gin_file, 'records': line.get('records'), 'budget': line['budget']}
    return {k: v for k, v in said.items() if v} | {k.strip(): v.strip() for k, _, v in own}


def _spread(group: Group, name: str) -> str:
    """The mean over the seeds, and of several their standard deviation, in percent."""
    values = [line[name] for line in group.lines]
    if None in values:
        return '-'
    mean = f'{statistics.fmean(values):.2%}'
    return mean if len(values) == 1 else f'{mean} ± {100 * statistics.stdev(values):.2f}'


def show(queues: Iterable[Path], *, results: Path) -> str:
    """The tables of some queues for a terminal.

    Raises:
      LonghaulError: if no run of a queue has finished.
    """
    parts = []
    for queue in queues:
        path = results / f'{queue.stem}.jsonl'
        found = lines.read(path)
        if not finished_groups(found):
            raise LonghaulError(
                f'{path}: no run of {queue} has finished; work it off with python -m '
                'tools.reproduce run'
            )
        parts.append(f'{queue}\n{sweep_table(found, padded=True)}')
    return '\n\n'.join(parts)
