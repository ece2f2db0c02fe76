"""A whole run: machine, measurements, table, files."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tools.benchmark import implementations, machine, plot, report
from tools.benchmark.options import Options
from tools.benchmark.process import Limits, run_child
from tools.benchmark.rows import Candidate, Outcome, Row, Spec
from tools.benchmark.session import Session

_ROOT = Path(__file__).parents[2]


def run(options: Options) -> list[Row]:
    """Measures, prints, writes; what was measured before an interruption is not lost.

    Args:
      options: of the run.

    Returns:
      All rows.
    """
    names = list(dict.fromkeys(name for name, _ in options.lines()))
    print(f'{machine.machine_line()}\n{machine.versions_line(names)}\n', flush=True)
    session = Session(
        options,
        measure=lambda spec: measure(spec, options),
        candidates_of=candidates_of,
        say=_say,
    )
    rows: list[Row] = []
    with _ended_by_sigterm():
        try:
            for found in session.rows():
                rows += found
                _write(rows, options)
        finally:
            if rows:
                print(report.table(rows), flush=True)
    return rows


def measure(spec: Spec, options: Options) -> Outcome:
    """Takes one measurement in a fresh process, within the limits of the options."""
    spec_json = json.dumps(spec.to_json())
    command = [sys.executable, '-m', 'tools.benchmark.child', spec_json]
    limits = Limits(int(options.memory_limit_gb * 1e9), options.time_limit)
    return run_child(command, _environment(spec.candidate), limits)


def candidates_of(spec: Spec) -> list[Candidate]:
    """The ways to run a spec's implementation, the first one the usual one."""
    return implementations.module_of(spec.implementation).candidates(spec)


def _environment(candidate: Candidate) -> dict[str, str]:
    """The child finds this very package, wherever it was started."""
    paths = [str(_ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]
    return candidate.environment | {'PYTHONPATH': os.pathsep.join(paths)}


def _write(rows: list[Row], options: Options) -> None:
    if options.json_file:
        report.write_json(rows, options.json_file)
    if options.plot_file:
        plot.draw(rows, options.plot_file)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: the child is killed, the rows are printed."""

    def end(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
