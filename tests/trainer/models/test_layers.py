"""Initial gate biases: the paper's constant, and chrono initialisation."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.layers import GateBias, Initializer
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.step_losses import StepLoss


def gates(bias):
    return np.split(bias.numpy(), 4)


def test_a_constant_for_the_forget_gate_alone():
    found = gates(Initializer(seed=0).lstm_bias('a', 5, GateBias(forget_bias=2.5)))
    assert [set(part) for part in found] == [{0.0}, {2.5}, {0.0}, {0.0}]


def test_chrono_gives_memories_of_all_lengths():
    """exp(bias) is uniform on 1..chrono_steps - 1: mean and deciles of 4,000 draws."""
    make = Initializer(seed=1, dtype=tf.float64)
    enter, forget, candidate, output = gates(make.lstm_bias('a', 4000, GateBias(1.0, 300)))
    np.testing.assert_array_equal(enter, -forget)
    assert not candidate.any()
    assert not output.any()
    steps = np.exp(forget)
    assert steps.min() >= 1
    assert steps.max() < 299.001
    deciles = np.quantile(steps, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(1, 299, 11), atol=15)


def test_every_lstm_of_a_model_starts_with_its_own():
    model = LongSequenceModel(
        ModelConfig(embedding_units=4, hidden_units=8, head_units=4, chrono_steps=50),
        input_rows=1,
        classes=2,
        seed=0,
        objective=ObjectiveConfig(reconstruction_weight=1.0, prediction_weight=1.0),
        loss=StepLoss(),
    )
    layers = (
        model.main,
        model.reconstruction.bottom,
        model.reconstruction.top,
        model.prediction.lstm,
    )
    forget = [tuple(gates(layer.bias)[1]) for layer in layers]
    assert len(set(forget)) == 4
    assert all(0 <= value < np.log(49.01) for values in forget for value in values)


def test_a_memory_of_no_steps_is_refused():
    with pytest.raises(LonghaulError, match='chrono_steps=2: a whole number >= 3 is needed'):
        ModelConfig(chrono_steps=2)
