"""A whole run: machine, measurements, table, files."""

import contextlib
import dataclasses
import signal
from collections.abc import Iterator

from tools.benchmark import child, machine, results
from tools.benchmark.step import implementations, plot, report
from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import Outcome, Row, Spec, outcome_of
from tools.benchmark.step.session import rows_of


def run(options: Options) -> list[Row]:
    """Measures, prints, writes; what was measured before an interruption is not lost.

    Returns:
      All rows.
    """
    libraries = [x for n, _ in options.lines() for x in implementations.libraries_of(n)]
    print(f'{machine.about(dict.fromkeys(libraries))}\n', flush=True)
    rows: list[Row] = []
    with _ended_by_sigterm():
        try:
            for found in rows_of(options, lambda spec: measure(spec, options)):
                rows += found
                results.write(options.json, [dataclasses.asdict(row) for row in rows])
                if options.plot:
                    plot.draw(rows, options.plot)
        finally:
            if rows:
                print(report.table(rows), flush=True)
    return rows


def measure(spec: Spec, options: Options) -> Outcome:
    """Takes one measurement in a fresh process, within the limits of the options."""
    ended = child.run_command(
        child.command('tools.benchmark.step.measure', dataclasses.asdict(spec)),
        environment=implementations.environment_of(spec.implementation),
        limits=child.Limits(int(options.memory_limit_gb * 1e9), options.time_limit),
    )
    return outcome_of(ended)


@contextlib.contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does: the child is killed, the rows are printed."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
