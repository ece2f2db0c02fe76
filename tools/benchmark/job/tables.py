"""Results of the job as Markdown."""

from collections.abc import Callable
from typing import Any

from tools.tables import table

# By the head of a column, its cell in a row.
_Columns = dict[str, Callable[[dict[str, Any]], str]]
_SPEED: _Columns = {
    'input': lambda row: row['name'],
    'items': lambda row: f'{row["count"]:,}',
    'MB': lambda row: f'{row["input_bytes"] / 1e6:,.1f}',
    'job, items/s': lambda row: f'{row["job"]["records_per_second"]:,.0f}',
    'job, MB/s': lambda row: f'{row["job"]["megabytes_per_second"]:.1f}',
    'plain, items/s': lambda row: f'{row["plain"]["records_per_second"]:,.0f}',
    'plain, MB/s': lambda row: f'{row["plain"]["megabytes_per_second"]:.1f}',
    'job / plain': lambda row: f'{row["work_ratio"]:.2f}',
    'pairs': lambda row: _spread(row['work_ratios']),
    'whole processes': lambda row: f'{row["whole_ratio"]:.2f} ({_spread(row["whole_ratios"])})',
}
_WORKERS: _Columns = {
    'input': lambda row: row['name'],
    'items': lambda row: f'{row["count"]:,}',
    'MB': lambda row: f'{row["input_bytes"] / 1e6:,.1f}',
    'one process, s': lambda row: f'{row["one"]:.1f}',
    'two workers, s': lambda row: f'{row["two"]:.1f}',
    'one / two': lambda row: f'{row["ratio"]:.2f}',
}
_MEMORY: _Columns = {
    'input': lambda row: row['name'],
    'items': lambda row: f'{row["count"]:,}',
    'peak, MB': lambda row: f'{row["peak_bytes"] / 1e6:,.0f}',
    'peak of a quarter, MB': lambda row: f'{row["quarter_peak_bytes"] / 1e6:,.0f}',
    'bytes an item adds': lambda row: f'{row["bytes_per_item"]:,.0f}',
    'seconds': lambda row: f'{row["seconds"]:.0f}',
}


def _table(columns: _Columns, rows: list[dict[str, Any]]) -> str:
    words = ('input', 'pairs', 'whole processes')
    cells = [[cell(row) for cell in columns.values()] for row in rows]
    return table([*columns], cells, right=[name for name in columns if name not in words])


def speed(rows: list[dict[str, Any]]) -> str:
    """A table of items and megabytes of input a second, and of the ratios of both sides."""
    job, plain = (
        sum(row[side]['imports'] for row in rows) / len(rows) for side in ('job', 'plain')
    )
    imports = f'Imports take the job {job:.1f} s and the plain loop {plain:.1f} s.'
    return f'{_table(_SPEED, rows)}\n\n{imports}'


def _spread(ratios: list[float]) -> str:
    return f'{min(ratios):.2f} to {max(ratios):.2f}'


def workers(found: dict[str, Any]) -> str:
    """A table of seconds, and the size from which two workers are faster."""
    rows = [{'name': found['name'], **row} for row in found['rows']]
    return f'{_table(_WORKERS, rows)}\n\n{_verdict(found)}'


def _verdict(found: dict[str, Any]) -> str:
    items = found['pays_from']
    if items is None:
        return 'An item takes two workers no less time here: they pay at no size.'
    last = found['rows'][-1]
    size = items * last['input_bytes'] / last['count'] / 1e6
    return f'Two workers are faster from about {items:,.0f} items ({size:,.0f} MB) on.'


def memory(rows: list[dict[str, Any]]) -> str:
    """A table of the peaks of the job's process."""
    return _table(_MEMORY, rows)
