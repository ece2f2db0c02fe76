"""Rows as a Markdown table and as a JSON file."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tools.benchmark.rows import OK, Row

_HEAD = ('length', 'implementation', 'model', 's/step', 'time', 'peak MB', 'memory', 'status')
_NONE = '-'


def reference_line(rows: list[Row]) -> tuple[str, str] | None:
    """(implementation, model) that all others are compared with.

    The bare products in a sweep; else our r-LSTM, or the first of our models; None without any.
    """
    lines = [(row.implementation, row.model) for row in rows]
    ours = [line for line in lines if line[0] == 'longhaul']
    for line in (('products', 'products'), ('longhaul', 'r'), *ours[:1]):
        if line in lines:
            return line
    return None


def table(rows: list[Row]) -> str:
    """A Markdown table, with time and memory as multiples of the reference's at each length."""
    reference = reference_line(rows)
    by_length = {r.length: r for r in rows if (r.implementation, r.model) == reference}
    cells = [_HEAD, *(_cells(row, by_length.get(row.length)) for row in rows)]
    widths = [max(len(c[i]) for c in cells) for i in range(len(_HEAD))]
    left = [head in ('implementation', 'model', 'status') for head in _HEAD]
    lines = [_line(c, widths, left) for c in cells]
    rules = [
        '-' * width if is_left else '-' * (width - 1) + ':'
        for width, is_left in zip(widths, left, strict=True)
    ]
    return '\n'.join([lines[0], _line(rules, widths, left), *lines[1:]])


def _line(cells: Sequence[str], widths: list[int], left: list[bool]) -> str:
    padded = (
        cell.ljust(width) if is_left else cell.rjust(width)
        for cell, width, is_left in zip(cells, widths, left, strict=True)
    )
    return f'| {" | ".join(padded)} |'


def _cells(row: Row, reference: Row | None) -> tuple[str, ...]:
    # Of one that was stopped, memory is what it had reached.
    reached = '' if row.status == OK else '>'
    memory = _ratio(row.peak_bytes, reference and reference.peak_bytes)
    return (
        f'{row.length:,}',
        row.implementation,
        row.model,
        _NONE if row.seconds is None else f'{row.seconds:.3f}',
        _ratio(row.seconds, reference and reference.seconds),
        _NONE if row.peak_bytes is None else f'{reached}{row.peak_bytes / 1e6:,.0f}',
        memory if memory == _NONE else reached + memory,
        row.settings.get('not_started', row.status),
    )


def _ratio(value: float | None, reference: float | None) -> str:
    if value is None or not reference:
        return _NONE
    return f'{value / reference:.2f}'


def write_json(rows: list[Row], path: str) -> None:
    """Writes a list of objects; a reader never sees half of it."""
    temporary = Path(f'{path}.part')
    temporary.write_text(json.dumps([row.to_json() for row in rows], indent=1) + '\n')
    os.replace(temporary, path)
