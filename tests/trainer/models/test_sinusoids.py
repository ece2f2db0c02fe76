"""Distances as sinusoids, against numpy in float64."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.models.sinusoids import FEATURES, WAVELENGTHS, sinusoids


@pytest.mark.parametrize(
    ('distances', 'dtype', 'atol'),
    [
        ([1, 2, 3, 17, 784], tf.float64, 1e-9),
        ([1, 2, 3, 17, 784], tf.float32, 5e-4),
        ([65_536, 199_999], tf.float64, 1e-6),
        # float32 knows a wavelength to 24 bits: 31,250 cycles make an angle of 0.02 of that.
        ([65_536, 199_999], tf.float32, 0.03),
    ],
)
def test_sinusoids(distances, dtype, atol):
    found = sinusoids(tf.constant([distances]), dtype)
    assert (found.dtype, found.shape) == (dtype, (1, len(distances), FEATURES))
    angles = 2 * np.pi * np.array(distances, np.float64)[:, np.newaxis] / np.array(WAVELENGTHS)
    want = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    np.testing.assert_allclose(found[0], want, atol=atol)
    # Neighbours are told apart.
    near = sinusoids(tf.constant(distances) + 1, dtype)
    assert np.linalg.norm(near - found[0], axis=-1).min() > 0.5
