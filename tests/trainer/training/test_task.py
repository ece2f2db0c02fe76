"""A training step as a whole, against tf_keras's own model trained on the same batches."""

import numpy as np
import pytest
import tensorflow as tf
import tf_keras
from small_models import take_step

from pipelines.format import records
from trainer.config import (
    Config,
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
)
from trainer.data.batches import Rows, SplitInput
from trainer.devices.execution import Execution
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.step_losses import StepLoss
from trainer.training.optimizers import make_optimizer
from trainer.training.task import LonghaulTask

STEPS, BATCH, CLASSES = 6, 12, 10
SIZES = ModelConfig(embedding_units=5, hidden_units=6, head_units=7, dropconnect_rate=0.0)
# Small enough a norm that clipping acts on every step.
OPTIMIZER = OptimizerConfig(learning_rate=0.01, global_clipnorm=0.05)


def config(records_dir, objective, model=SIZES):
    data = DataConfig(records=records_dir, batch_size=BATCH)
    return Config(model, objective, data, OPTIMIZER, RunConfig(train_steps=STEPS, seed=3))


def batches(settings, info):
    data = settings.data
    split = SplitInput(data.records, 'train', info, settings.objective, seed=settings.run.seed)
    order = split.order(data.batch_size)
    dataset = split.training(order, first_step=0, parts=[Rows(0, 1)])
    return list(dataset.take(STEPS))


def build(settings, info):
    spec = info.spec
    return LongSequenceModel(
        settings.model,
        input_rows=spec.channels,
        classes=CLASSES,
        seed=settings.run.seed,
        objective=settings.objective,
        loss=StepLoss(),
        dtype=tf.float64,
    )


def by_name(variables):
    return {v.name.removesuffix(':0'): v for v in variables}


def keras_twin(model, total):
    """The same model of tf_keras's layers, with the same weights."""
    v = by_name(model.trainable_variables)
    layers = {
        'embedding': tf_keras.layers.Dense(SIZES.embedding_units, use_bias=False, dtype='float64'),
        'main': tf_keras.layers.LSTM(SIZES.hidden_units, dtype='float64'),
        'classifier/hidden_1': tf_keras.layers.Dense(SIZES.head_units, 'relu', dtype='float64'),
        'classifier/hidden_2': tf_keras.layers.Dense(SIZES.head_units, 'relu', dtype='float64'),
        'classifier/output': tf_keras.layers.Dense(CLASSES, dtype='float64'),
    }
    twin = tf_keras.Sequential([tf_keras.Input([total, 1], dtype='float64'), *layers.values()])
    places = {}
    for name, layer in layers.items():
        for weight in layer.weights:
            own = weight.name.split('/')[-1].removesuffix(':0')
            places[name if name == 'embedding' else f'{name}/{own}'] = weight
    assert places.keys() == v.keys()
    for name, weight in places.items():
        weight.assign(v[name])
    return twin, places


def train(settings, info, model, elements):
    task = LonghaulTask(settings, info, execution=Execution(parts=2))
    optimizer = make_optimizer(settings.optimizer, phase_steps=STEPS)
    step = tf.function(lambda x, n: take_step(task, x, model, optimizer, n), autograph=False)
    return [float(step(x, tf.constant(n, tf.int64))) for n, x in enumerate(elements)]


@pytest.mark.parametrize('bptt_steps', [64, 1000])
def test_without_a_cut_the_plain_model_trains_as_tf_keras_does(digit_records, bptt_steps):
    info = records.read_info(digit_records)
    settings = config(
        digit_records, ObjectiveConfig(supervised_bptt_steps=bptt_steps, auxiliary_steps=16)
    )
    elements = batches(settings, info)
    model = build(settings, info)
    twin, places = keras_twin(model, total=64)
    optimizer = tf_keras.optimizers.RMSprop(
        OPTIMIZER.learning_rate, rho=OPTIMIZER.rho, global_clipnorm=OPTIMIZER.global_clipnorm
    )
    want = []
    for element in elements:
        with tf.GradientTape() as tape:
            logits = twin(tf.cast(element['inputs'], tf.float64) / 255)
            losses = tf_keras.losses.sparse_categorical_crossentropy(
                element['labels'], logits, from_logits=True
            )
            loss = tf.reduce_mean(losses)
        gradients = tape.gradient(loss, twin.trainable_variables)
        assert float(tf.linalg.global_norm(gradients)) > OPTIMIZER.global_clipnorm
        optimizer.apply_gradients(zip(gradients, twin.trainable_variables, strict=True))
        want.append(float(loss))
    np.testing.assert_allclose(train(settings, info, model, elements), want, rtol=1e-9)
    for name, variable in by_name(model.trainable_variables).items():
        np.testing.assert_allclose(variable, places[name], rtol=1e-6, atol=1e-9, err_msg=name)


def test_a_cut_makes_a_difference(digit_records):
    """Guards the test above: these runs would be told apart."""
    info = records.read_info(digit_records)
    losses = []
    for bptt_steps in (8, 64):
        settings = config(
            digit_records, ObjectiveConfig(supervised_bptt_steps=bptt_steps, auxiliary_steps=16)
        )
        model = build(settings, info)
        losses.append(train(settings, info, model, batches(settings, info)))
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-12)
    assert losses[0][-1] != pytest.approx(losses[1][-1], rel=1e-6)


def test_dropconnect_is_one_mask_a_step_and_scales_what_it_keeps(digit_records):
    info = records.read_info(digit_records)
    settings = config(digit_records, ObjectiveConfig(auxiliary_steps=16))
    classifier = build(settings, info).classifier

    def mask(seed, step):
        return classifier.dropconnect_mask(0.75, seed, tf.constant(step, tf.int64)).numpy()

    masks = np.stack([mask(3, n) for n in range(60)])
    assert set(np.unique(masks)) == {0.0, 4.0}
    # 49 x 60 draws: three standard deviations of their share are 0.024.
    assert np.mean(masks > 0) == pytest.approx(0.25, abs=0.03)
    assert len({m.tobytes() for m in masks}) == 60
    np.testing.assert_array_equal(mask(3, 7), masks[7])
    assert (mask(4, 7) != masks[7]).any()
    assert classifier.dropconnect_mask(0.0, 3, tf.constant(0, tf.int64)) is None
