"""The whole sequence of an example as a strip, from its first step to its last, for every kind."""

from tools.inspect.marks import Anchor, Marks

# More bounds than this would fill the strip; the caption says how many there are.
_MOST_BOUNDS, _MOST_SAID = 150, 3


def draw(marks: Marks) -> str:
    """Draws reconstruction above, segments in the middle, prediction below; x is the step."""
    bounds = marks.bounds[1:] if len(marks.bounds) <= _MOST_BOUNDS else ()
    ticks = ''.join(f'M{t} 12v8' for t in bounds)
    return (
        f'<svg class="strip" viewBox="0 0 {marks.steps} 32" preserveAspectRatio="none" '
        'aria-hidden="true">'
        f'<rect class="ground" y="12" width="{marks.steps}" height="8"/>'
        f'<path class="bounds" d="{ticks}"/>'
        f'{"".join(_lane("r", a, bar=2, line=0) for a in marks.r)}'
        f'{"".join(_lane("p", a, bar=24, line=12) for a in marks.p)}</svg>'
    )


def _lane(which: str, anchor: Anchor, *, bar: int, line: int) -> str:
    return (
        f'<rect class="{which}-stretch" x="{anchor.start}" y="{bar}" '
        f'width="{anchor.end - anchor.start}" height="6"/>'
        f'<path class="{which}-anchor" d="M{anchor.read} {line}v20"/>'
    )


def say(marks: Marks) -> str:
    """Says in numbers what the strip shows."""
    count = len(marks.bounds)
    return (
        f'<p>{marks.steps:,} steps, {count:,} segment{"s" * (count > 1)}</p>'
        f'{_said("r", marks.r)}{_said("p", marks.p)}'
    )


def _said(which: str, anchors: tuple[Anchor, ...]) -> str:
    parts = [
        f'<span class="pair">{a.read:,} \u2192 {_range(a)}</span>' for a in anchors[:_MOST_SAID]
    ]
    if len(anchors) > _MOST_SAID:
        parts.append(f'{len(anchors) - _MOST_SAID} more')
    return f'<p><b class="tag {which}">{which}</b> {", ".join(parts)}</p>'


def _range(anchor: Anchor) -> str:
    if anchor.start >= anchor.end:
        return 'nothing'
    last = anchor.end - 1
    return f'{anchor.start:,}' + (f'\u2013{last:,}' if last > anchor.start else '')
