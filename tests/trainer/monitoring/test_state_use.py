"""Whether losses use the state: none that cannot, one that has learned to; and their gradients."""

import pytest
import tensorflow as tf
from small_models import READOUTS, config_of, small, task_of

from trainer.config import OptimizerConfig
from trainer.models.objective import TruncatedObjective
from trainer.monitoring.measures import AuxiliaryMeasures
from trainer.monitoring.state_use import advice, gradient_norms, state_use
from trainer.training.optimizers import make_optimizer

NAMES = ('reconstruction', 'prediction')


@pytest.fixture(scope='module')
def readouts(digit_records):
    """An objective of readouts, its model and a batch."""
    config, model, batch = small(digit_records, *READOUTS, 'ObjectiveConfig.prediction_weight=0.3')
    return TruncatedObjective(config.objective, 20), model, batch


def test_a_readout_that_does_not_look_does_not_use_it(readouts):
    objective, model, batch = readouts
    kernels = [getattr(model, name).state_hidden.kernel for name in NAMES]
    before = [kernel.numpy() for kernel in kernels]
    try:
        for kernel in kernels:
            kernel.assign(tf.zeros_like(kernel))
        found = {k: float(v) for k, v in state_use(objective, model, batch).items()}
    finally:
        for kernel, value in zip(kernels, before, strict=True):
            kernel.assign(value)
    assert found == {name: pytest.approx(0, abs=1e-6) for name in NAMES}
    past, future = advice(found)
    assert past.startswith('the reconstruction loss hardly uses the state')
    assert "ObjectiveConfig.reconstruction_form='readout'" in past
    assert 'prediction_weight' in future


def test_one_that_has_learned_the_batch_does(readouts):
    """Rows are few: whose they are is all that a readout has to know."""
    objective, model, batch = readouts
    optimizer = make_optimizer(OptimizerConfig('adam', learning_rate=0.02), phase_steps=60)
    variables = [v for name in NAMES for v in getattr(model, name).trainable_variables]

    @tf.function(autograph=False)
    def train():
        with tf.GradientTape() as tape:
            losses = objective.losses(model, batch)
            total = tf.reduce_mean(losses.reconstruction + losses.prediction)
        optimizer.apply_gradients(zip(tape.gradient(total, variables), variables, strict=True))

    for _ in range(60):
        train()
    found = {k: float(v) for k, v in state_use(objective, model, batch).items()}
    assert all(0.05 < share < 1 for share in found.values()), found
    assert advice(found) == []


def test_gradient_norms_are_those_of_each_weighted_loss(readouts):
    objective, model, batch = readouts
    found = gradient_norms(objective, model, batch)
    assert found.keys() == {'supervised', *NAMES}
    weights = {'supervised': 1, 'reconstruction': 1, 'prediction': 0.3}
    for name, weight in weights.items():
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(getattr(objective.losses(model, batch), name)) / 8
        gradient = tape.gradient(loss, model.main.recurrent_kernel)
        assert float(tf.norm(gradient)) > 1e-6
        assert float(found[name]) == pytest.approx(weight * float(tf.norm(gradient)), rel=1e-4)
    alone = TruncatedObjective(objective.config, 20, supervised=False)
    assert gradient_norms(alone, model, batch).keys() == set(NAMES)


def test_of_mirrored_weights_the_same(readouts, digit_records, strategies):
    """Outside of replicas, as a validation measures."""
    objective, model, batch = readouts
    two = strategies['two']
    with two.scope():
        mirrored = task_of(config_of(digit_records, *READOUTS)).build_model()
        for new, old in zip(mirrored.trainable_variables, model.trainable_variables, strict=True):
            assert new.name == old.name
            new.assign(old)
        use, norms = AuxiliaryMeasures(objective, mirrored, batch)()
    for found, alone in ((use, state_use), (norms, gradient_norms)):
        want = {k: pytest.approx(float(v), rel=1e-3) for k, v in alone(*readouts).items()}
        assert found == want


def test_a_decoder_gets_other_states_too(digit_records):
    """Its loss changes with them, and nothing else of the batch's losses does."""
    config, model, batch = small(digit_records, 'ObjectiveConfig.prediction_weight=1.0')
    objective = TruncatedObjective(config.objective, 20)
    own = objective.losses(model, batch)
    other = objective.losses(model, batch, other_states=True)
    tf.debugging.assert_equal(own.supervised, other.supervised)
    for name in NAMES:
        assert float(tf.reduce_min(tf.abs(getattr(own, name) - getattr(other, name)))) > 0
