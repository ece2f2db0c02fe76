"""What the slow judge knows of readouts: functions of one state of the main LSTM and a distance.

Written, as `truncation_oracle`, from the description alone. A window is some steps of a row; its
anchors lie in it, and at each the readout says the steps at given distances from it. Replication
has the same windows and anchors.
"""

import math

import numpy as np
import tensorflow as tf

FEATURES = 48  # sines, then cosines

Weights = dict[str, tf.Tensor]


def sinusoids(distance: int) -> np.ndarray:
    """phi(d), [48]."""
    angles = [2 * math.pi * distance / (4 * 1.6**i) for i in range(FEATURES // 2)]
    return np.array([math.sin(a) for a in angles] + [math.cos(a) for a in angles])


def make_weights(
    rng: np.random.Generator, name: str, *, hidden_units: int, units: int, outputs: int
) -> dict[str, np.ndarray]:
    """Random weights of one readout: branch times trunk is of order one, and few ReLUs are dead."""
    weights = {}
    for layer, rows, columns in (
        ('state/hidden', hidden_units, units),
        ('state/output', units, units),
        ('distance/hidden_1', FEATURES, units),
        ('distance/hidden_2', units, units),
        ('distance/output', units, units),
        ('output', units, outputs),
    ):
        kernel = rng.normal(size=[rows, columns]) * np.sqrt(2 / rows)
        if layer == 'state/hidden':
            kernel *= 3  # h is well below 1
        weights[f'{name}/readout/{layer}/kernel'] = kernel
        weights[f'{name}/readout/{layer}/bias'] = 0.4 + rng.normal(size=[columns]) * 0.3
    return weights


def output(w: Weights, name: str, h: tf.Tensor, distance: int) -> tf.Tensor:
    """What is said of the step at a distance from the state h, [1, U]: [1, O]."""

    def dense(layer: str, x: tf.Tensor) -> tf.Tensor:
        layer = f'{name}/readout/{layer}'
        return x @ w[f'{layer}/kernel'] + w[f'{layer}/bias']

    branch = dense('state/output', tf.nn.relu(dense('state/hidden', h)))
    trunk = tf.constant(sinusoids(distance)[np.newaxis])
    trunk = tf.nn.relu(dense('distance/hidden_1', trunk))
    trunk = tf.nn.relu(dense('distance/hidden_2', trunk))
    trunk = dense('distance/output', trunk)
    return dense('output', branch * trunk)


def window(end: int, steps: int, length: int) -> tuple[int, int]:
    """First step and size of the window that ends at `end`, of `steps` steps where these fit."""
    assert 1 <= end <= length, f'a window of a row of {length} steps ends at {end}'
    assert steps >= 1, 'a window has steps'
    size = min(steps, length)
    return max(end - size, 0), size


def anchors(first: int, size: int, count: int) -> list[int]:
    """The window's anchors: an anchor is how many steps its state has read."""
    return [first - (-j * size // count) for j in range(1, count + 1)]


def target(loss: str, anchor: int, distance: int, length: int) -> int | None:
    """The step that is to be said, or None: there is no such step."""
    assert distance >= 1
    step = anchor - distance if loss == 'reconstruction' else anchor + distance - 1
    return step if 0 <= step < length else None
