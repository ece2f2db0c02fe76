"""Sinusoidal features of distances, the form in which a network reads them."""

import math

import tensorflow as tf

# Wavelengths of the sinusoids, in steps: 4 to 200,000, so that neighbouring distances differ and
# large distances stay distinct (Vaswani et al. 2017, section 3.5, with another ratio).
WAVELENGTHS = tuple(4 * 1.6**i for i in range(24))
FEATURES = 2 * len(WAVELENGTHS)


def sinusoids(distances: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    """int32 [...] -> [..., FEATURES]: all sines, then all cosines, of 2 pi d / wavelength."""
    cycles = tf.cast(distances, dtype)[..., tf.newaxis] / tf.constant(WAVELENGTHS, dtype)
    # Whole cycles are subtracted first, since sines of large numbers lose digits.
    angles = 2 * math.pi * (cycles - tf.floor(cycles))
    return tf.concat([tf.sin(angles), tf.cos(angles)], axis=-1)
