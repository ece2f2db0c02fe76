"""An example on the page: its picture, its text or its curves."""

import base64

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from tools.inspect import markup
from tools.inspect.drawings import DRAWINGS
from tools.inspect.marks import Marks
from tools.inspect.stored import Records, Stored

# Pixels along one edge of a picture at most: a page holds many.
_SIDE = 128


def example(found: Records, shown: Stored) -> str:
    """An example as HTML, in the way of its kind and without marks."""
    if found.info.spec.kind == 'image':
        return picture(shown.values, found.info.spec, about=shown.id)
    marks = Marks(steps=shown.steps, bounds=(0,), r=(), p=())
    return DRAWINGS[found.info.spec.kind].draw(found, shown, marks)


def picture(values: np.ndarray, spec: SequenceSpec, *, about: str) -> str:
    """Steps uint8 [T, C] of an image as HTML; a large one is made smaller."""
    pixels = pictures_of(values, spec)
    side = pixels.shape[0]
    if side > _SIDE:
        resized = tf.image.resize(pixels, [_SIDE, _SIDE], method='area')
        pixels, side = tf.cast(tf.round(resized), tf.uint8), _SIDE
    data = base64.b64encode(tf.io.encode_png(pixels).numpy()).decode()
    return (
        f'<img alt="{markup.text(about)}" width="{side}" height="{side}" '
        f'src="data:image/png;base64,{data}">'
    )
