"""How an example of each kind is drawn and described: a new kind is one more entry here."""

import dataclasses
from collections.abc import Callable

from pipelines.format.sequences import SequenceSpec
from tools.inspect import documents, pictures
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
    describe: Callable[[SequenceSpec], str]
    width: Callable[[SequenceSpec], float]


def _image(spec: SequenceSpec) -> str:
    colour = 'gray' if spec.channels == 1 else 'in colour'
    order = 'row by row' if spec.permutation is None else 'pixels in one fixed random order'
    return f'Images of {spec.image_size} \u00d7 {spec.image_size} pixels, {colour}, {order}'


def _text(spec: SequenceSpec) -> str:
    unit = 'byte by byte' if spec.tokens == 'bytes' else 'character by character'
    cut = '' if spec.max_steps is None else f', cut after {spec.max_steps:,} steps'
    return f'Documents, {unit}{cut}'


DRAWINGS = {
    'image': Drawing(pictures.draw, _image, lambda spec: 11 if spec.image_size <= 48 else 17),
    'text': Drawing(documents.draw, _text, lambda spec: 27),
}
