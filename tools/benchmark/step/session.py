"""All measurements of a run, in turn, so that whatever slows the machine down slows all alike."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import FINAL, OK, Outcome, Row, Spec, make_row
from tools.terminal import say

Measure = Callable[[Spec], Outcome]
# (implementation, model) -> why and at which length it is not started any more.
_Stopped = dict[tuple[str, str], tuple[str, int]]


def rows_of(options: Options, measure: Measure) -> Iterator[list[Row]]:
    """Measures length by length, repeat by repeat, one implementation after the other.

    Args:
      options: of the run.
      measure: takes one measurement.

    Yields:
      The rows of each length, from the shortest on.
    """
    stopped: _Stopped = {}
    for length in sorted(set(options.lengths)):
        specs = [dataclasses.replace(spec, length=length) for spec in options.specs()]
        found: dict[tuple[str, str], list[Outcome]] = {spec.line: [] for spec in specs}
        for _ in range(options.repeats):
            for spec in specs:
                outcomes = found[spec.line]
                if spec.line not in stopped and all(o.status == OK for o in outcomes):
                    outcomes.append(_told(spec, measure))
                    if outcomes[-1].status in FINAL:
                        stopped[spec.line] = outcomes[-1].status, length
        yield [_row(spec, found[spec.line], options.repeats, stopped) for spec in specs]


def _row(spec: Spec, outcomes: list[Outcome], repeats: int, stopped: _Stopped) -> Row:
    notes: dict[str, Any] = {}
    if not outcomes:
        status, length = stopped[spec.line]
        outcomes = [Outcome(status)]
        notes['not_started'] = f'not started: {status} at {length}'
    elif len(outcomes) < repeats:
        notes['repeats_not_started'] = repeats - len(outcomes)
    return make_row(spec, outcomes, notes)


def _told(spec: Spec, measure: Measure) -> Outcome:
    """Takes one measurement and prints a line of it."""
    outcome = measure(spec)
    took = [f'{s:.3f} s' for s in outcome.seconds]
    say('  '.join([f'{spec.length:>7,} steps', *spec.line, outcome.status, *took]))
    return outcome
