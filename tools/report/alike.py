"""Runs that differ in their seed alone, as groups of `tools.reproduce`."""

import json
import zlib
from typing import Any

from tools.report.overview import last_step
from tools.report.run_files import RunFiles
from tools.report.settings import flat
from tools.reproduce.groups import Group
from trainer.models.architectures import method
from trainer.run_dir.folder import ModelDir
from trainer.training.result import ASIDE

_DATA, _RUN = 'data', 'run'


def groups_of(runs: list[RunFiles]) -> list[Group]:
    """The groups, in the order in which their first runs are named.

    A group's `params` are the settings that differ between any two of the runs, as 'name=value'.
    A line of it has the `run` (its place among `runs`), the seed and the numbers that are compared.
    """
    values = [_values(run) for run in runs]
    names = list(dict.fromkeys(name for own in values for name in own))
    differ = [n for n in names if len({json.dumps(own.get(n)) for own in values}) > 1]
    found: dict[tuple[str, ...], list[int]] = {}
    for place, own in enumerate(values):
        key = tuple(f'{name}={own[name]!r}' for name in differ if name in own)
        found.setdefault(key, []).append(place)
    return [
        Group(_method(runs[places[0]]), params, tuple(_lines(runs, places)))
        for params, places in found.items()
    ]


def _values(run: RunFiles) -> dict[str, Any]:
    """What makes a run the experiment that it is: its settings but for its seed, and its data."""
    data = ModelDir(run.folder, flag='RUN').trained_records() or run.spec.to_json()
    if run.config is None:
        return {_RUN: run.folder, _DATA: data}
    aside = ('seed', *ASIDE)
    own = {n: v for n, v in flat(run.config).items() if n.partition('.')[2] not in aside}
    return own | {_DATA: _short(run, data)}


def _short(run: RunFiles, data: dict[str, Any]) -> str:
    """Names the data for people, and tells apart what has the same name."""
    number = zlib.crc32(json.dumps(data, sort_keys=True).encode())
    return f'{run.records.rstrip("/").rpartition("/")[2] or run.spec.kind} ({number:08x})'


def _method(run: RunFiles) -> str:
    return method(run.config) if run.config else run.name


def _lines(runs: list[RunFiles], places: list[int]) -> list[dict[str, Any]]:
    lines = [{'run': place, **_numbers(runs[place])} for place in places]
    return sorted(lines, key=lambda line: (line['seed'], line['run']))


def _numbers(run: RunFiles) -> dict[str, Any]:
    """The numbers that are compared; None for those that the folder does not know."""
    accuracies = {}
    for split in ('test', 'validation'):
        found = run.evaluations.get(split, {})
        known = found.get('labelled') and 'accuracy' in found
        accuracies[f'{split}_accuracy'] = found['accuracy'] if known else None
    curve: dict[str, Any] = next(
        (e['memory_curve'] for e in run.evaluations.values() if e.get('memory_curve')), {}
    )
    return accuracies | {
        'seed': run.config.run.seed if run.config else 0,
        'seconds': run.result.get('seconds'),
        'steps': last_step(run),
        'memory': curve.get('total'),
    }
