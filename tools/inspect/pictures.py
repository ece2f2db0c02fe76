"""Images: pixels in their place, segments and anchors drawn over them."""

import base64

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from tools.inspect import markup
from tools.inspect.marks import Anchor, Marks
from tools.inspect.stored import Records, Stored


def places(found: Records) -> np.ndarray:
    """The pixel (raster, row by row) that each step shows; int [T], without trailing steps."""
    spec = found.info.spec
    order = np.arange(found.side**2) if spec.permutation is None else np.array(spec.permutation)
    return np.repeat(order, spec.steps_per_pixel)


def plain(found: Records, example: Stored) -> np.ndarray:
    """The picture, uint8 [side, side, 1 or 3]."""
    return pictures_of(example.values, found.info.spec)


def draw(found: Records, example: Stored, marks: Marks) -> str:
    """The picture as HTML: its own pixels, and the marks as a drawing over them."""
    data = tf.io.encode_png(plain(found, example)).numpy()
    side = found.side
    about = f'{found.class_name(example)}: {example.id}, {side} x {side} pixels'
    return (
        f'<div class="picture"><img alt="{markup.text(about)}" width="{side}" height="{side}" '
        f'src="data:image/png;base64,{base64.b64encode(data).decode()}">'
        f'<svg viewBox="0 0 {side} {side}" aria-hidden="true">{_overlay(found, marks)}</svg></div>'
    )


def _overlay(found: Records, marks: Marks) -> str:
    side, order = found.side, places(found)
    parts = []
    if found.info.spec.permutation_seed is None:
        # In a random order a segment is everywhere: only the strip can show it.
        odd = [order[slice(*marks.segment(n))] for n in range(1, len(marks.bounds), 2)]
        parts.append(('segment', np.concatenate([*odd, np.zeros(0, int)])))
    # Slices: what lies in trailing steps has no pixel.
    parts += [('p-stretch', order[a.start : a.end]) for a in marks.p]
    parts += [('r-stretch', order[a.start : a.end]) for a in marks.r]
    parts += [('r-start', order[a.start : a.start + 1]) for a in marks.r]
    drawn = [
        f'<path class="{k}" d="{_region(pixels, side)}"/>' for k, pixels in parts if len(pixels)
    ]
    drawn += [_marker('p', a, order, side) for a in marks.p]
    drawn += [_marker('r', a, order, side) for a in marks.r]
    return ''.join(drawn)


def _region(pixels: np.ndarray, side: int) -> str:
    """Pixels [N] (raster) as the path of an SVG, a rectangle for each run of a row."""
    pixels = np.unique(pixels)
    new = (np.diff(pixels) != 1) | (pixels[1:] % side == 0)
    runs = np.split(pixels, np.flatnonzero(new) + 1)
    return ''.join(
        f'M{run[0] % side} {run[0] // side}h{len(run)}v1h-{len(run)}z' for run in runs if len(run)
    )


def _marker(which: str, anchor: Anchor, order: np.ndarray, side: int) -> str:
    """A disc (r) or a diamond (p) on the last pixel read; at the edge when none is."""
    pixel = int(order[: max(1, anchor.read)][-1])
    x, y = pixel % side + (0.5 if anchor.read else 0), pixel // side + 0.5
    size = max(0.5, side / 30)
    if which == 'r':
        return f'<circle class="r-anchor" cx="{x:g}" cy="{y:g}" r="{size:.3g}"/>'
    size *= 1.25
    return (
        f'<path class="p-anchor" d="M{x - size:.4g} {y:g}L{x:g} {y - size:.4g}L{x + size:.4g} {y:g}'
        f'L{x:g} {y + size:.4g}z"/>'
    )
