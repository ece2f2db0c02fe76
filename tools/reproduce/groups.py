"""Finished runs by what they have in common: the same experiment under several seeds."""

import dataclasses
import math
import statistics
from pathlib import Path
from typing import Any

from trainer.monitoring.progress import duration

# The 97.5 % quantiles of Student's t for 2, 3, ... values; the last one serves for more.
_STUDENT = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)


@dataclasses.dataclass(frozen=True, eq=False)
class Group:
    """Runs that differ in their seed alone; `lines`: how each ended, by seed."""

    gin_file: str
    params: tuple[str, ...]
    lines: tuple[dict[str, Any], ...]

    @property
    def method(self) -> str:
        """The gin file's name."""
        return Path(self.gin_file).stem

    @property
    def seeds(self) -> str:
        """The seeds for people, such as '0, 1'."""
        return ', '.join(str(line['seed']) for line in self.lines)

    def mean(self, name: str) -> float | None:
        """The mean of a value over the seeds; None if a seed has none."""
        values = [line[name] for line in self.lines]
        return None if None in values else statistics.fmean(values)

    @property
    def wall_time(self) -> str:
        """The mean wall time over the seeds, such as '1:02:03'; '-' if a seed has none."""
        seconds = self.mean('seconds')
        return '-' if seconds is None else duration(seconds)

    def spread(self, name: str) -> str:
        """The mean over the seeds and, of several, the lowest and the highest, in percent."""
        mean = self.mean(name)
        if mean is None:
            return '-'
        values = [line[name] for line in self.lines]
        ends = f' ({min(values):.2%} to {max(values):.2%})' if len(values) > 1 else ''
        return f'{mean:.2%}{ends}'

    def interval(self, name: str) -> str:
        """The mean over the seeds and, of several, its 95 % interval (Student's t), in percent."""
        mean = self.mean(name)
        if mean is None:
            return '-'
        values = [line[name] for line in self.lines]
        if len(values) == 1:
            return f'{mean:.1%}'
        return f'{mean:.1%} ± {100 * self.half_interval(name):.1f}'

    def half_interval(self, name: str) -> float:
        """Half of the 95 % interval of the mean over the seeds (Student's t); 0 for one seed."""
        values = [line[name] for line in self.lines]
        if len(values) == 1:
            return 0.0
        t = _STUDENT[min(len(values), len(_STUDENT) + 1) - 2]
        return t * statistics.stdev(values) / math.sqrt(len(values))


def own_params(line: dict[str, Any]) -> tuple[str, ...]:
    """A line's parameters but for its seed and for what the queue added."""
    added = ['SEED', 'RunConfig.eval_interval', 'RunConfig.evaluate_test']
    if line['budget']:
        added += [f'RunConfig.{n}' for n in ('pretrain_steps', 'train_steps', 'train_epochs')]
    return tuple(p for p in line['params'] if p.partition('=')[0].strip() not in added)


def finished_groups(lines: list[dict[str, Any]]) -> list[Group]:
    """The finished runs of some lines, grouped, in the order in which they ended first."""
    ended = {line['run']: line for line in lines if line['kind'] == 'run' and line['finished']}
    found: dict[tuple, list[dict[str, Any]]] = {}
    for line in ended.values():
        key = (line['gin_file'], own_params(line), line['budget'], line.get('records'))
        found.setdefault(key, []).append(line)
    return [
        Group(gin_file, params, tuple(sorted(members, key=lambda line: line['seed'])))
        for (gin_file, params, *_), members in found.items()
    ]


def best_within(groups: list[Group], *, value: str, limit: float) -> Group | None:
    """The group that is best on validation among those that need no more than `limit`.

    Args:
      groups: of one method.
      value: 'epochs' or 'seconds', means over the seeds.
      limit: with a tolerance of 1 %.
    """
    allowed = [g for g in groups if (taken := g.mean(value)) is not None and taken <= limit * 1.01]
    return max(allowed, key=lambda g: g.mean('validation_accuracy') or -math.inf, default=None)
