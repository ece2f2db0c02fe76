"""Results of the job as Markdown."""

from typing import Any

from tools.tables import table

_SPEED = (
    'input',
    'items',
    'MB',
    'job, items/s',
    'job, MB/s',
    'plain, items/s',
    'plain, MB/s',
    'job / plain',
    'pairs',
    'whole processes',
)
_WORKERS = ('input', 'items', 'MB', 'one process, s', 'two workers, s', 'one / two')
_MEMORY = ('input', 'items', 'peak, MB', 'peak of a quarter, MB', 'bytes an item adds', 'seconds')


def speed(rows: list[dict[str, Any]]) -> str:
    """A table of items and megabytes of input a second, and of the ratios of both sides."""
    cells, imports = [], []
    for row in rows:
        job, plain = row['job'], row['plain']
        imports.append((job['imports'], plain['imports']))
        cells.append(
            (
                row['name'],
                f'{row["count"]:,}',
                f'{row["input_bytes"] / 1e6:,.1f}',
                f'{job["records_per_second"]:,.0f}',
                f'{job["megabytes_per_second"]:.1f}',
                f'{plain["records_per_second"]:,.0f}',
                f'{plain["megabytes_per_second"]:.1f}',
                f'{row["work_ratio"]:.2f}',
                _spread(row['work_ratios']),
                f'{row["whole_ratio"]:.2f} ({_spread(row["whole_ratios"])})',
            )
        )
    job, plain = (sum(values) / len(imports) for values in zip(*imports, strict=True))
    return (
        f'{table(_SPEED, cells, right=_SPEED[1:8])}\n\n'
        f'Imports take the job {job:.1f} s and the plain loop {plain:.1f} s.'
    )


def _spread(ratios: list[float]) -> str:
    return f'{min(ratios):.2f} to {max(ratios):.2f}'


def workers(found: dict[str, Any]) -> str:
    """A table of seconds, and the size from which two workers are faster."""
    cells = [
        (
            found['name'],
            f'{row["count"]:,}',
            f'{row["input_bytes"] / 1e6:,.1f}',
            f'{row["one"]:.1f}',
            f'{row["two"]:.1f}',
            f'{row["ratio"]:.2f}',
        )
        for row in found['rows']
    ]
    return f'{table(_WORKERS, cells, right=_WORKERS[1:])}\n\n{_verdict(found)}'


def _verdict(found: dict[str, Any]) -> str:
    items = found['pays_from']
    if items is None:
        return 'An item takes two workers no less time here: they pay at no size.'
    last = found['rows'][-1]
    size = items * last['input_bytes'] / last['count'] / 1e6
    return f'Two workers are faster from about {items:,.0f} items ({size:,.0f} MB) on.'


def memory(rows: list[dict[str, Any]]) -> str:
    """A table of the peaks of the job's process."""
    cells = [
        (
            row['name'],
            f'{row["count"]:,}',
            f'{row["peak_bytes"] / 1e6:,.0f}',
            f'{row["quarter_peak_bytes"] / 1e6:,.0f}',
            f'{row["bytes_per_item"]:,.0f}',
            f'{row["seconds"]:.0f}',
        )
        for row in rows
    ]
    return table(_MEMORY, cells, right=_MEMORY[1:])
