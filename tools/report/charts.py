"""Charts as SVG inside the page, drawn by matplotlib in the colours of the page's style.

No chart holds text of others: names stand in the legends, which are HTML.
"""

import io
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tools import drawing
from tools.inspect import markup

COLOURS = 8
_MOST_POINTS = 400
# What matplotlib draws in these colours, the page draws in its own, in the light and in the dark.
_INK, _LINE = '#010101', '#020202'
_OWN = {_INK: 'var(--soft)', _LINE: 'var(--line)'} | {
    f'#0a0a{i:02x}': f'var(--c{i})' for i in range(COLOURS)
}
_STYLE = {
    'svg.fonttype': 'none',
    'svg.hashsalt': 'longhaul',
    'font.size': 8.5,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.facecolor': 'none',
    'figure.facecolor': 'none',
    'savefig.facecolor': 'none',
    'grid.color': _LINE,
    'axes.edgecolor': _LINE,
    **dict.fromkeys(('text.color', 'axes.labelcolor', 'xtick.color', 'ytick.color'), _INK),
}
_SIZE = (4.3, 2.5)


class Line(NamedTuple):
    """A line of a chart.

    `x`, `y`: of its points; NaN leaves a gap. `colour`: its number among the page's colours.
    `low`, `high`: of a band around it, or None. `dashed`: whether it is drawn so. `marked`: whether
    its points are.
    """

    x: Sequence[float] | np.ndarray
    y: Sequence[float] | np.ndarray
    colour: int = 0
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None
    dashed: bool = False
    marked: bool = False


class Axes(NamedTuple):
    """The axes of a chart: labels, limits of y, least x, both logarithmic, an x to mark."""

    x: str
    y: str
    limits: tuple[float | None, float | None] = (None, None)
    left: float | None = None
    logarithmic: bool = False
    mark: float | None = None


def chart(title: str, lines: Sequence[Line], axes: Axes, *, key: str = '') -> str:
    """A chart as HTML.

    Args:
      title: stands above it; plain text of the page's own.
      lines: to draw.
      axes: to draw them on.
      key: HTML below it, from `legend`.
    """
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context(_STYLE), drawing.panels(file, size=_SIZE) as panels:
        panel = panels[0, 0]
        for line in lines:
            _draw(panel, line)
        panel.set(xlabel=axes.x, ylabel=axes.y)
        if axes.logarithmic:
            panel.set(xscale='log', yscale='log')
        # A limit that is not given follows from the lines.
        panel.set(ylim=axes.limits, xlim=(axes.left, None))
        if axes.mark is not None:
            panel.axvline(axes.mark, color=_INK, linewidth=0.8, linestyle=':')
        panel.grid(linewidth=0.6)
    about = f'{title}: {axes.y} over {axes.x}'
    drawn = f'<figcaption>{title}</figcaption>{_inline(file, about)}{key}'
    return f'<figure class="chart">{drawn}</figure>'


def _draw(panel: Any, line: Line) -> None:
    x, y = np.asarray(line.x, float), np.asarray(line.y, float)
    kept = _thinned(len(x))
    colour = f'#0a0a{line.colour % COLOURS:02x}'
    style: dict[str, Any] = {'color': colour, 'linewidth': 1.4}
    if line.marked or len(x) < 3:
        style |= {'marker': 'o', 'markersize': 3}
    # The colours come again behind the last one; the dashes tell them apart.
    dashed = line.dashed or line.colour >= COLOURS
    panel.plot(x[kept], y[kept], linestyle='--' if dashed else '-', **style)
    if line.low is not None and line.high is not None:
        low, high = (np.asarray(side, float)[kept] for side in (line.low, line.high))
        panel.fill_between(x[kept], low, high, color=colour, alpha=0.18, linewidth=0)


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, _MOST_POINTS)).astype(int))


def _inline(file: io.BytesIO, about: str) -> str:
    """The drawing without what only a file of its own needs, and in the page's colours."""
    text = file.getvalue().decode()
    text = text[text.index('<svg') :]
    text = re.sub(r'<metadata>.*?</metadata>|<!--.*?-->', '', text, flags=re.DOTALL)
    # Of groups; what is referred to has a name without a number.
    text = re.sub(r' id="[^"]*_\d+"', '', text)
    text = re.sub(r' xmlns(?::xlink)?="[^"]*"| version="[^"]*"', '', text)
    text = re.sub(r'^<svg width="[^"]*" height="[^"]*"', '<svg', _without_size(text))
    for theirs, ours in _OWN.items():
        text = text.replace(theirs, ours)
    text = re.sub(r'>\s+<', '><', text)
    return text.replace('<svg', f'<svg role="img" aria-label="{markup.text(about)}"', 1).strip()


def _without_size(text: str) -> str:
    head, end, rest = text.partition('>')
    return re.sub(r' (?:width|height)="[^"]*"', '', head) + end + rest


def legend(names: Sequence[str], *, colours: Sequence[int] | None = None) -> str:
    """The names of a chart's lines, each behind its colour."""
    numbers = range(len(names)) if colours is None else colours
    items = (
        f'<li><i class="line{" dashed" * (i >= COLOURS)}" style="--k:var(--c{i % COLOURS})"></i> '
        f'{markup.name(name)}'
        for name, i in zip(names, numbers, strict=True)
    )
    return f'<ul class="legend-line">{"".join(items)}</ul>'


def beside(*charts: str) -> str:
    """Charts next to each other, or below each other where the page is narrow."""
    return f'<div class="charts">{"".join(charts)}</div>'
