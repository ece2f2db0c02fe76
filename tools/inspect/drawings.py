"""Drawings and descriptions by kind of data: a new kind is one more entry of DRAWINGS."""

import dataclasses
from collections.abc import Callable

from pipelines.format.records import RecordsInfo
from pipelines.format.spec import SequenceSpec
from tools.inspect import documents, pictures, signals
from tools.inspect.marks import Marks
from tools.inspect.stored import Records, Stored


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One kind of data.

    Attributes:
      draw: an example and its marks as HTML.
      describe: what a sequence is, in some words.
      width: of a drawing at least, in rem.
    """

    draw: Callable[[Records, Stored, Marks], str]
    describe: Callable[[RecordsInfo], str]
    width: Callable[[SequenceSpec], float]


_ORDERS = {'raster': 'row by row', 'hilbert': 'along a Hilbert curve'}


def _image(info: RecordsInfo) -> str:
    spec = info.spec
    colour = 'gray' if spec.colors == 1 else 'in colour'
    order = 'in one fixed random order'
    if spec.permutation_seed is None:
        order = _ORDERS.get(info.options.get('pixel_order') or 'raster', 'in one fixed order')
    if spec.steps_per_pixel > 1:
        order += f', {spec.steps_per_pixel} steps a pixel'
    size = f'{spec.image_size} \u00d7 {spec.image_size}'
    return f'Images of {size} pixels, {colour}, {order}{_trailing(spec)}'


def _text(info: RecordsInfo) -> str:
    unit = 'byte by byte' if info.spec.tokens == 'bytes' else 'character by character'
    return f'Documents, {unit}{_cut(info.spec)}{_trailing(info.spec)}'


def _signal(info: RecordsInfo) -> str:
    return f'Signals{_cut(info.spec)}{_trailing(info.spec)}'


def _cut(spec: SequenceSpec) -> str:
    if spec.max_steps is None:
        return ''
    left = {'head': 'the first', 'tail': 'the last', 'both': 'the first and last'}[spec.cut]
    return f', {left} {spec.max_steps:,} steps of longer ones'


def _trailing(spec: SequenceSpec) -> str:
    if not spec.trailing_steps:
        return ''
    return f', {spec.trailing_steps:,} {spec.trailing} steps behind each'


DRAWINGS = {
    'image': Drawing(
        pictures.draw, _image, lambda spec: 11 if (spec.image_size or 0) <= 48 else 17
    ),
    'text': Drawing(documents.draw, _text, lambda spec: 27),
    'signal': Drawing(signals.draw, _signal, lambda spec: 22),
}
