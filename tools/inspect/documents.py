"""Documents: their text around what is marked, with segments and anchors drawn in."""

from collections.abc import Iterable

import numpy as np

from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from tools.inspect import markup
from tools.inspect.marks import Marks
from tools.inspect.stored import Records, Stored

# Steps shown at both ends and on both sides of a mark; a shorter gap is not worth leaving out.
_HEAD, _NEAR, _GAP = 240, 120, 60


def draw(found: Records, example: Stored, marks: Marks) -> str:
    """The text as HTML; what is far from any mark is left out, and the gap says how long it is."""
    spec, values = found.info.spec, example.values
    parts, last = [], 0
    for start, end in excerpts(marks):
        start, end = (_character(values, t, spec) for t in (start, end))
        if start > last:
            parts.append(_gap(start - last))
        parts.append(_excerpt(values, start, end, marks, spec))
        last = end
    if last < marks.steps:
        parts.append(_gap(marks.steps - last))
    return f'<div class="document" dir="auto">{"".join(parts)}</div>'


def excerpts(marks: Marks) -> list[tuple[int, int]]:
    """The steps to show: [(first, last + 1)], ascending, apart from each other."""
    points = [t for anchor in (*marks.r, *marks.p) for t in anchor]
    wanted = [(0, _HEAD), *((t - _NEAR, t + _NEAR) for t in points), (marks.steps - _NEAR,) * 2]
    found: list[list[int]] = []
    for start, end in sorted((max(0, a), min(marks.steps, max(b, a + _NEAR))) for a, b in wanted):
        if found and start <= found[-1][1] + _GAP:
            found[-1][1] = max(found[-1][1], end)
        else:
            found.append([start, end])
    return [(start, end) for start, end in found]


def _gap(steps: int) -> str:
    return f'<span class="gap">{steps:,} steps not shown</span>'


def _excerpt(values: np.ndarray, start: int, end: int, marks: Marks, spec: SequenceSpec) -> str:
    """Steps start..end-1: one element for each run of steps that look alike, marks between them."""
    edges = [t for anchor in (*marks.r, *marks.p) for t in anchor]
    cuts = sorted({start, end, *(t for t in (*edges, *marks.bounds) if start < t < end)})
    parts = []
    for a, b in zip(cuts, cuts[1:], strict=False):
        parts.append(_anchors(marks, at=a))
        # A character of several bytes is shown whole, where its first byte is.
        shown = values[_character(values, a, spec) : _character(values, b, spec)]
        kind, text = ' '.join(_kinds(marks, a)), markup.text(text_of(shown, spec))
        parts.append(f'<span class="{kind}" data-step="{a}">{text}</span>')
    return ''.join(parts) + (_anchors(marks, at=end) if end == marks.steps else '')


def _kinds(marks: Marks, step: int) -> Iterable[str]:
    """The classes of the elements that show a step."""
    yield f's{(int(np.searchsorted(marks.bounds, step, side="right")) + 1) % 2}'
    if any(a.start <= step < a.end for a in marks.r):
        yield 'r-stretch'
    if any(a.start == step for a in marks.r):
        yield 'r-start'
    if any(a.start <= step < a.end for a in marks.p):
        yield 'p-stretch'


def _anchors(marks: Marks, *, at: int) -> str:
    found = [(which, a) for which in 'rp' for a in getattr(marks, which) if a.read == at]
    return ''.join(
        f'<b class="mark {which}" role="img" aria-label="{which} anchor" data-read="{a.read}" '
        f'title="{which} anchor: {a.read:,} steps read"></b>'
        for which, a in found
    )


def _character(values: np.ndarray, step: int, spec: SequenceSpec) -> int:
    """The step itself, or the first byte of the UTF-8 character that it lies in."""
    if spec.tokens == 'bytes':
        for first in range(step, max(-1, step - 4), -1):
            if first == len(values) or values[first] & 0xC0 != 0x80:
                return first
    return step
