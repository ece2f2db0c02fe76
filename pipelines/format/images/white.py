"""Composites transparent pictures over white."""

import tensorflow as tf


def over_white(colors: tf.Tensor, *, alpha: tf.Tensor) -> tf.Tensor:
    """Composites a picture over white.

    Args:
      colors: uint8 [H, W, 3], not multiplied by alpha.
      alpha: uint8 [H, W, 1]; 255 is opaque.

    Returns:
      uint8 [H, W, 3]: (alpha c + (255 - alpha) 255) / 255, to the nearest integer.
    """
    # The sums are at most 255 * 255: uint16 holds them, and takes little memory.
    alpha = tf.cast(alpha, tf.uint16)
    sums = tf.cast(colors, tf.uint16) * alpha + 255 * (255 - alpha)
    return tf.cast((sums + 127) // 255, tf.uint8)
