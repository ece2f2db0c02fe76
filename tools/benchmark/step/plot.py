"""Seconds and memory over length, as a picture."""

from collections.abc import Callable
from typing import Any

from tools import drawing
from tools.benchmark.step.rows import OUT_OF_MEMORY, OUT_OF_TIME, Row

_MARKS = {OUT_OF_MEMORY: 'x', OUT_OF_TIME: '+'}
# Shares of a panel's height: where the topmost mark of a length stands, and the next below it.
_TOP, _APART = 0.96, 0.035


def draw(rows: list[Row], path: str) -> None:
    """Draws a line for each implementation and model; both axes are logarithmic.

    Where one ran out of memory or time, its mark stands at the top of that length: it has no
    seconds and no memory to be drawn at.

    Args:
      rows: of any lengths.
      path: the picture to write, in the format that its suffix names.
    """
    from matplotlib.lines import Line2D

    with drawing.panels(path, columns=2, size=(11, 4.2)) as axes:
        left, right = axes[0]
        _panel(left, rows, 'seconds per step', lambda row: row.seconds)
        _panel(right, rows, 'peak memory (GB)', _gigabytes)
        handles, labels = left.get_legend_handles_labels()
        for status, mark in _MARKS.items():
            if any(row.status == status for row in rows):
                handles.append(Line2D([], [], color='black', linestyle='none', marker=mark))
                labels.append(status)
        left.figure.legend(handles, labels, loc='outside right upper', frameon=False)


def _gigabytes(row: Row) -> float | None:
    return row.peak_bytes / 1e9 if row.seconds is not None and row.peak_bytes else None


def _panel(axes: Any, rows: list[Row], title: str, value: Callable[[Row], float | None]) -> None:
    lengths = sorted({row.length for row in rows})
    marked = dict.fromkeys(lengths, 0)
    for line in dict.fromkeys(row.line for row in rows):
        mine = sorted((row for row in rows if row.line == line), key=lambda row: row.length)
        points = [(row.length, value(row)) for row in mine if value(row) is not None]
        x, y = zip(*points, strict=True) if points else ((), ())
        style = '-' if line[0] == 'longhaul' else '--'
        label = ' '.join(dict.fromkeys(line))
        (drawn,) = axes.plot(x, y, style, marker='o', markersize=3.5, label=label)
        for row in mine:
            if row.status in _MARKS and 'not_started' not in row.settings:
                height = _TOP - _APART * marked[row.length]
                marked[row.length] += 1
                _mark(axes, row, height, drawn.get_color())
    axes.set(xlabel='steps of a sequence', ylabel=title, xscale='log')
    if any(value(row) is not None for row in rows):
        axes.set_yscale('log')
    axes.set_xlim(lengths[0] / 1.15, lengths[-1] * 1.15)
    names = [f'{length:,}' for length in lengths]
    axes.set_xticks(lengths, names, rotation=45, ha='right')
    axes.minorticks_off()
    axes.margins(y=0.15)
    axes.grid(alpha=0.3)


def _mark(axes: Any, row: Row, height: float, color: Any) -> None:
    """Draws a mark at the row's length; `height` is a share of the panel's."""
    place = axes.get_xaxis_transform()
    axes.plot([row.length], [height], marker=_MARKS[row.status], color=color, transform=place)
