"""The loop that all recurrent parts are made of."""

import pytest
import tensorflow as tf

from trainer.bptt.for_steps import for_steps


def count(steps, **options):
    """Sums 0..steps-1 and lists the steps, the variables being a tensor and a nest."""

    @tf.function(autograph=False)
    def run(steps):
        seen = tf.TensorArray(tf.int32, 10, element_shape=[])
        total, (seen,) = for_steps(
            steps, lambda t, n, more: (n + t, (more[0].write(t, t),)), 0, (seen,), **options
        )
        return total, seen.stack()

    return [x.numpy().tolist() for x in run(steps)]


@pytest.mark.parametrize('steps', [0, 1, 4])
def test_takes_every_step_once_and_in_order(steps):
    want = [sum(range(steps)), [*range(steps), *[0] * (10 - steps)]]
    assert count(steps) == want
    assert count(tf.constant(steps), longest=10) == want


def test_takes_no_more_than_the_longest():
    assert count(tf.constant(7), longest=3)[0] == 0 + 1 + 2
