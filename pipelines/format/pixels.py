"""Pixels -> steps, and back: the colour, the size and the order of pixels."""

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec

# ITU-R BT.601 luma. The weights add up to 1, so that a gray pixel v, v, v becomes exactly v.
_LUMA = (0.299, 0.587, 0.114)


def steps_from_pixels(pixels: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Changes the colour, the size and the order of pixels to what the spec says.

    An image of another size is resized (bilinear with antialiasing; its aspect is not kept). An
    image of the right size is not changed.

    Args:
      pixels: uint8 [H, W, 1 or 3].
      spec: of the records.

    Returns:
      uint8 [T, C], row by row or in the order of the permutation. With three steps per pixel, the
      red, green and blue of a pixel are one after another. Trailing steps are not appended here.
    """
    values = pixels
    if spec.colors == 1 and pixels.shape[-1] == 3:
        # Rounding comes before resizing, so that a gray picture gives the same with 1 and 3
        # channels.
        luma = tf.cast(pixels, tf.float32) * tf.constant(_LUMA)
        values = _rounded(tf.reduce_sum(luma, axis=-1, keepdims=True))
    elif spec.colors == 3 and pixels.shape[-1] == 1:
        values = tf.repeat(values, 3, axis=-1)
    side = spec.side
    shape = tf.shape(values)
    fits = tf.logical_and(shape[0] == side, shape[1] == side)
    # The resizing takes bytes as well as floats, and gives floats.
    steps = tf.cond(
        fits,
        lambda: values,
        lambda: _rounded(tf.image.resize(values, [side, side], antialias=True)),
    )
    steps = tf.reshape(steps, [side * side, spec.colors])
    if spec.permutation is not None:
        steps = tf.gather(steps, np.array(spec.permutation, np.int32))
    return tf.reshape(steps, [spec.picture_steps, spec.channels])


def _rounded(values: tf.Tensor) -> tf.Tensor:
    return tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)


def pictures_of(steps: np.ndarray, spec: SequenceSpec) -> np.ndarray:
    """The inverse of `steps_from_pixels`; ignores trailing steps.

    Args:
      steps: [..., T, C].
      spec: of the records.

    Returns:
      [..., side, side, 1 or 3], of the same dtype.
    """
    side, before = spec.side, steps.shape[:-2]
    shown = steps[..., : spec.picture_steps, :].reshape(*before, side * side, spec.colors)
    pixels = shown
    if spec.permutation is not None:
        pixels = np.empty_like(shown)
        pixels[..., np.asarray(spec.permutation), :] = shown
    return pixels.reshape(*before, side, side, spec.colors)
