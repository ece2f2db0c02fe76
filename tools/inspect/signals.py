"""Signals as curves: in the terminal, and as a drawing with segments and anchors behind it."""

import numpy as np

from tools.inspect import markup
from tools.inspect.marks import Marks
from tools.inspect.stored import Records, Stored

_COLUMNS, _LINES, _MOST_CHANNELS = 64, 7, 6
# Of a drawing: points across at most, and the height of a channel, with room above and below.
_POINTS, _HEIGHT, _MARGIN = 640, 60, 4


def _extremes(values: np.ndarray, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """The least and the largest value [columns or fewer, C] of equal stretches of [T, C]."""
    starts = np.unique(np.linspace(0, len(values), columns, endpoint=False).astype(int))
    return np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)


def plot(values: np.ndarray) -> str:
    """Each channel of [T, C] as lines of characters; no more than six channels."""
    lows, highs = _extremes(values.astype(np.float64), _COLUMNS)
    lines = []
    for channel in range(min(values.shape[1], _MOST_CHANNELS)):
        low, high = lows[:, channel], highs[:, channel]
        least, most = low.min(), high.max()
        scale = (_LINES - 1) / ((most - least) or 1)
        bottom, top = (((x - least) * scale).round() for x in (low, high))
        lines.append(f'channel {channel}: {least:.4g} to {most:.4g}')
        for line in reversed(range(_LINES)):
            inside = (bottom <= line) & (line <= top)
            lines.append('  ' + ''.join(' *'[int(x)] for x in inside).rstrip())
    left = values.shape[1] - _MOST_CHANNELS
    return '\n'.join([*lines, f'and {left} channels more'] if left > 0 else lines)


def draw(found: Records, example: Stored, marks: Marks) -> str:
    """The curves as HTML, x is the step: a chart for each channel, no more than six."""
    channels = example.values.shape[1]
    ground = _ground(marks)
    charts = [
        _chart(example.values[:, c], f'{markup.text(example.id)}, channel {c}', ground)
        for c in range(min(channels, _MOST_CHANNELS))
    ]
    left = channels - _MOST_CHANNELS
    more = f'<small>and {left} channels more</small>' if left > 0 else ''
    return f'<div class="signal">{"".join(charts)}{more}</div>'


def _ground(marks: Marks) -> str:
    """What lies behind the curves of every channel."""
    odd = ''.join(_band(*marks.segment(n)) for n in range(1, len(marks.bounds), 2))
    parts = [f'<path class="segment" d="{odd}"/>']
    for which in 'pr':
        for anchor in getattr(marks, which):
            d = _band(anchor.start, anchor.end)
            parts.append(f'<path class="{which}-stretch" d="{d}"/>')
            parts.append(f'<path class="{which}-anchor" d="M{anchor.read} 0v{_HEIGHT}"/>')
    return ''.join(parts)


def _band(start: int, end: int) -> str:
    return f'M{start} 0H{end}V{_HEIGHT}H{start}z'


def _chart(values: np.ndarray, title: str, ground: str) -> str:
    """One channel [T]; where steps outnumber points, both extremes of a point are joined."""
    low, high = (x[:, 0] for x in _extremes(values.astype(np.float64)[:, np.newaxis], _POINTS))
    least, most = low.min(), high.max()
    scale = (_HEIGHT - 2 * _MARGIN) / ((most - least) or 1)
    width, points = len(values) / len(low), []
    for i, pair in enumerate(zip(low, high, strict=True)):
        for value in dict.fromkeys(pair if i % 2 else pair[::-1]):
            # A step is as wide as one; its point lies in its middle.
            y = _HEIGHT - _MARGIN - (value - least) * scale
            points.append(f'{(i + 0.5) * width:.1f} {y:.1f}')
    said = f'{least:.4g} to {most:.4g}'
    return (
        f'<small>{said}</small><svg viewBox="0 0 {len(values)} {_HEIGHT}" role="img" '
        f'aria-label="{title}: {said}" preserveAspectRatio="none">{ground}'
        f'<path class="curve" d="M{"L".join(points)}"/></svg>'
    )
