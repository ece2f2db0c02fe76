"""Accumulated and mixed-precision gradients beside the batch's own; moving averages."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from small_models import READOUTS, config_of

from pipelines.format import records
from trainer.data.batches import Rows, SplitInput
from trainer.devices.execution import Execution
from trainer.training import averages
from trainer.training.task import LonghaulTask

BOTH = ['ObjectiveConfig.prediction_weight=1.0']
REST = [
    ('digit_records', False, 2),
    ('digit_records', True, 1),
    ('digit_records', True, 2),
    ('text_records', False, 1),
    ('text_records', False, 2),
    ('text_records', True, 1),
]


def gradients(config, folder, execution):
    """Losses of each row and gradients of one step, float32."""
    info = records.read_info(folder)
    task = LonghaulTask(config, info, execution=execution)
    model = task.build_model()
    split = SplitInput(folder, 'train', info, config.objective, seed=0)
    order = split.order(config.data.batch_size)
    batches = split.training(order, first_step=0, parts=[Rows(0, 1)])
    inputs = next(batches.take(1).as_numpy_iterator())
    inputs = {k: tf.constant(v) for k, v in inputs.items()}
    step = tf.function(
        lambda: task.gradients(inputs, model, tf.constant(0, tf.int64)), autograph=False
    )
    losses, found = step()
    return tf.nest.flatten(losses), found


@pytest.mark.parametrize(
    ('data', 'compiles', 'parts', 'params'),
    [
        ('digit_records', False, 1, BOTH),
        pytest.param('text_records', False, 2, READOUTS, marks=pytest.mark.long),
        pytest.param('text_records', True, 2, BOTH, marks=pytest.mark.long),
        # Each is traced and compiled twice, 9 s.
        *(pytest.param(*rest, BOTH, marks=pytest.mark.long) for rest in REST),
        pytest.param('digit_records', True, 2, READOUTS, marks=pytest.mark.long),
    ],
)
def test_accumulated_gradients_are_those_of_the_batch(request, data, compiles, parts, params):
    folder = request.getfixturevalue(data)
    config = config_of(folder, *params)
    few = dataclasses.replace(config, data=dataclasses.replace(config.data, accumulation_steps=4))
    path = 'compiled_scan' if compiles else 'scan'
    execution = Execution(path, parts, compiles)
    want_losses, want = gradients(config, folder, execution)
    losses, got = gradients(few, folder, execution)
    for value, expected in zip(losses, want_losses, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    assert len(got) == len(want) > 20
    for value, expected in zip(got, want, strict=True):
        scale = np.abs(expected).max() + 1e-12
        np.testing.assert_allclose(value / scale, expected / scale, atol=2e-5)


@pytest.mark.long
@pytest.mark.parametrize('data', ['digit_records', 'text_records'])
@pytest.mark.parametrize('compiles', [False, True])
def test_mixed_precision_is_near(request, data, compiles):
    """bfloat16 has 8 bits: a hundredth of the largest value, and not nothing."""
    folder = request.getfixturevalue(data)
    config = config_of(folder, *BOTH)
    mixed = dataclasses.replace(
        config, run=dataclasses.replace(config.run, precision='mixed_bfloat16')
    )
    execution = Execution('compiled_scan' if compiles else 'scan', 1, compiles)
    want_losses, want = gradients(config, folder, execution)
    losses, got = gradients(mixed, folder, execution)
    assert {value.dtype for value in [*losses, *got]} == {tf.float32}
    for value, expected in zip(losses, want_losses, strict=True):
        np.testing.assert_allclose(value, expected, rtol=0.02, atol=0.01)
    norms = [np.linalg.norm(value - expected) for value, expected in zip(got, want, strict=True)]
    whole = np.sqrt(sum(np.linalg.norm(expected) ** 2 for expected in want))
    assert 1e-5 < np.linalg.norm(norms) / whole < 0.03


def test_averages(strategies):
    """Against the formula, in numpy; under one device and two replicas."""
    for strategy in strategies.values():
        with strategy.scope():
            parts = [tf.Module(), tf.Module()]
            for part in parts:
                part.weights = tf.Variable([1.0, -2.0])
        shadow, model = parts

        @tf.function
        def update(step, shadow=shadow, model=model, strategy=strategy):
            averages.update(shadow, model, decay=0.5, step=step, strategy=strategy)

        want = np.array([1.0, -2.0])
        for step in range(1, 12):
            model.weights.assign([step, 2.0 * step])
            update(tf.constant(step, tf.int64))
            decay = min(0.5, (1 + step) / (10 + step))
            want = decay * want + (1 - decay) * np.array([step, 2 * step])
            np.testing.assert_allclose(shadow.weights.numpy(), want, rtol=1e-6)
