"""Rows as a Markdown table."""

from tools import tables
from tools.benchmark.step.rows import OK, Row

_HEAD = ('length', 'implementation', 'model', 's/step', 'time', 'peak MB', 'memory', 'status')
_NUMBERS = ('length', 's/step', 'time', 'peak MB', 'memory')
_NONE = '-'


def reference_line(rows: list[Row]) -> tuple[str, str] | None:
    """Chooses the implementation and model that all others are compared with.

    The bare products in a sweep; else our default r-LSTM, or the first of our models; None without
    any.
    """
    lines = [row.line for row in rows]
    ours = [line for line in lines if line[0] == 'longhaul']
    for line in (('products', 'products'), ('longhaul', 'readout'), *ours[:1]):
        if line in lines:
            return line
    return None


def table(rows: list[Row]) -> str:
    """A Markdown table, with time and memory as multiples of the reference's at each length."""
    reference = reference_line(rows)
    by_length = {row.length: row for row in rows if row.line == reference}
    cells = [_cells(row, by_length.get(row.length)) for row in rows]
    return tables.table(_HEAD, cells, right=_NUMBERS, padded=True)


def _cells(row: Row, reference: Row | None) -> tuple[str, ...]:
    # A process that was stopped had reached this much memory, and might have taken more.
    reached = '' if row.status == OK else '>'
    memory = _ratio(row.peak_bytes, reference.peak_bytes if reference else None)
    return (
        f'{row.length:,}',
        row.implementation,
        row.model,
        _NONE if row.seconds is None else f'{row.seconds:.3f}',
        _ratio(row.seconds, reference.seconds if reference else None),
        _NONE if row.peak_bytes is None else f'{reached}{row.peak_bytes / 1e6:,.0f}',
        memory if memory == _NONE else reached + memory,
        row.settings.get('not_started', row.status),
    )


def _ratio(value: float | None, reference: float | None) -> str:
    if value is None or not reference:
        return _NONE
    return f'{value / reference:.2f}'
