"""A training loop of one's own: the trainer's steps, and what is refused."""

import re

import numpy as np
import pytest
import tensorflow as tf
from small_models import READOUTS, config_of, take_step, task_of

from pipelines.format.errors import LonghaulError
from trainer import loading
from trainer.data import own
from trainer.models.stream import Stream
from trainer.training import learner_checks
from trainer.training.learner import Learner
from trainer.training.optimizers import make_optimizer
from trainer.training.saving import bindings_of

PLAIN = ('ObjectiveConfig.reconstruction_weight=0.0', 'DataConfig.batch_size=4')


def waves(count=4, steps=30):
    return np.random.default_rng(0).uniform(size=[count, steps, 2]).astype(np.float32)


def learner_of(*params):
    return Learner(config_of('', *PLAIN, *params), own.describe(waves(), ['a', 'b']))


@pytest.mark.long
def test_its_steps_are_the_trainer_s(digit_records):
    config = config_of(digit_records, *READOUTS)
    learner, task = Learner(config), task_of(config)
    model = task.build_model()
    optimizer = make_optimizer(config.optimizer, phase_steps=config.run.train_steps)
    step = tf.function(lambda x, n: take_step(task, x, model, optimizer, n), autograph=False)
    batches = learner.from_records('train')
    for number, batch in zip(range(3), batches, strict=False):
        want = float(step(dict(batch), tf.constant(number, tf.int64)))
        assert learner.step(batch)['loss'] == pytest.approx(want, rel=1e-6)
    for mine, theirs in zip(
        learner.model.trainable_variables, model.trainable_variables, strict=True
    ):
        np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7, err_msg=mine.name)


def test_a_batch_that_is_not_good_changes_nothing():
    learner = learner_of('RunConfig.skip_loss_above=0')
    before = [variable.numpy() for variable in learner.model.trainable_variables]
    batch = learner.batch(waves(), [0, 1, 0, 1])
    with pytest.raises(FloatingPointError, match='nothing was changed; leave it out') as caught:
        learner.step(batch)
    own = learner.objective.total(learner.losses(batch), 4)
    said = float(re.search(r'its loss \((.*?)\)', str(caught.value))[1])
    assert said == pytest.approx(float(own), rel=1e-5), "a step of one's own drops the same"
    assert int(learner.global_step) == 0
    for variable, value in zip(learner.model.trainable_variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_refusals(digit_records, tmp_path):
    learner = learner_of()
    with pytest.raises(LonghaulError, match='batch: has 3 rows, DataConfig.batch_size=4'):
        learner.step(learner.batch(waves(3)))
    with pytest.raises(LonghaulError, match="split='train': .* take from_dataset"):
        learner.from_records()
    with pytest.raises(LonghaulError, match="split='tests'"):
        Learner(config_of(digit_records, *PLAIN)).from_records('tests')
    with pytest.raises(LonghaulError, match='inputs: 4 rows of 1 lengths; at least 20'):
        learner.memory_curve(waves())
    with pytest.raises(LonghaulError, match='inputs: 21 rows of 2 lengths'):
        learner.memory_curve([*waves(20), waves(1, 29)[0]])
    stream = learner.stream()
    with pytest.raises(LonghaulError, match=r'chunk: has the shape \[5\]; \[T, 2\] is needed'):
        stream.read(np.zeros([5], np.float16))
    with pytest.raises(LonghaulError, match='chunk: holds int64; convert it to floats'):
        stream.read(np.zeros([5, 2], int))
    with pytest.raises(LonghaulError, match='chunk: has values that are not finite'):
        stream.read(np.full([5, 2], np.nan))
    stream.read(np.zeros([0, 2], np.float16))
    assert stream.steps == 0
    with pytest.raises(LonghaulError, match='inputs: no row is there'):
        learner.memory_curve(5)
    with pytest.raises(LonghaulError, match='holds no run; train first'):
        loading.load_run(str(tmp_path))
    with pytest.raises(LonghaulError, match="DataConfig.kind='image', but the records"):
        learner_of("DataConfig.kind='image'")


@pytest.mark.parametrize(
    ('element', 'words'),
    [
        ((waves(),), r'dataset: an element is tuple; \(inputs, labels\)'),
        (waves(2), 'dataset: an element is ndarray'),
        ({'inputs': waves(), 'label': [0] * 4}, "dataset: an element is .'inputs', 'label'."),
        ({'labels': [0] * 4}, "dataset: an element is .'labels'.; .* or a dict"),
    ],
)
def test_elements_of_other_shapes_are_refused(element, words):
    with pytest.raises(LonghaulError, match=words):
        learner_checks.named(element)


@pytest.mark.parametrize('batch', [(waves(), [0] * 4), {'inputs': waves(), 'labels': [0] * 4}])
def test_a_batch_that_no_learner_made_is_refused(batch):
    with pytest.raises(LonghaulError, match='batch: is .* from_records of the Learner'):
        learner_checks.tensors(batch)


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        (['OptimizerConfig.ema_decay=0.9'], 'ema_decay=0.9: a Learner keeps no averages'),
        (['RunConfig.warm_start="none"'], 'RunConfig.warm_start=none: holds no run'),
        (
            ['RunConfig.train_steps=None', 'RunConfig.train_epochs=3', 'DataConfig.batch_size=5'],
            'RunConfig.train_epochs=3: the data have no batch of 5 rows',
        ),
    ],
)
def test_no_setting_is_passed_over_in_silence(params, words):
    with pytest.raises(LonghaulError, match=words):
        learner_of(*params)


def test_data_without_scales_have_no_relative_losses():
    relative = ('ObjectiveConfig.reconstruction_weight=1.0', 'ObjectiveConfig.relative_losses=True')
    config = config_of('', *PLAIN, *relative)
    data = own.OwnData(own.describe(waves(), ['a', 'b']).info)
    with pytest.raises(LonghaulError, match='the scales of these data are not known'):
        Learner(config, data)
    with pytest.raises(LonghaulError, match='data: is ndarray; give what longhaul.describe'):
        Learner(config, waves())


def test_epochs_are_those_of_the_sequences_described():
    learner = learner_of(
        'RunConfig.train_steps=None', 'RunConfig.train_epochs=3', 'DataConfig.batch_size=2'
    )
    assert learner.config.run.train_steps == 6


def test_of_no_row_there_is_no_mean():
    learner = learner_of()
    with pytest.raises(LonghaulError, match='batches: there is none'):
        learner.evaluate([])
    unlabelled = learner.evaluate([learner.batch(waves(), training=False)])
    assert unlabelled.keys() == {'loss'}
    half = learner.evaluate([learner.batch(waves(), [1, -1, -1, -1], training=False)])
    assert half['accuracy'] in (0.0, 1.0)


def test_a_stream_takes_what_predict_takes():
    learner = learner_of()
    stream = learner.stream()
    for chunk in np.split(waves(1)[0], 3):
        stream.read(chunk)
    np.testing.assert_allclose(stream.probabilities(), learner.predict(waves(1))[0], rtol=1e-5)


def test_a_folder_holds_one_run(tmp_path):
    folder = tmp_path / 'run'
    learner = learner_of()
    with pytest.raises(LonghaulError, match="model_dir='': names no folder"):
        learner.save('')
    learner.save(folder)
    learner.model.embedding.assign_add(tf.ones_like(learner.model.embedding))
    learner.save(folder)
    loaded = loading.load_run(folder)
    assert loaded.config == learner.config
    np.testing.assert_array_equal(loaded.model.embedding, learner.model.embedding)
    np.testing.assert_allclose(loaded.predict(waves()), learner.predict(waves()), rtol=1e-6)
    with pytest.raises(LonghaulError, match='holds a run with another configuration'):
        learner_of('RunConfig.seed=1').save(folder)
    assert loading.load_config(*bindings_of(learner.config).splitlines()) == learner.config


def test_attention_reads_no_stream():
    learner = learner_of("ModelConfig.architecture='transformer'", 'ModelConfig.embedding_units=8')
    with pytest.raises(LonghaulError, match="'transformer': attention needs all steps at once"):
        Stream(learner.model, learner.data.info.spec)
    assert learner.predict(waves()).shape == (4, 2)


@pytest.mark.long
def test_losses_and_their_gradients_are_computed_as_a_step_is():
    """In bfloat16 too: the readout's gradient and the LSTM's are taken outside of the losses."""
    params = ['DataConfig.batch_size=4', 'ObjectiveConfig.auxiliary_steps=10']
    totals = {}
    for precision in ('float32', 'mixed_bfloat16'):
        config = config_of('', *params, f"RunConfig.precision='{precision}'")
        learner = Learner(config, own.describe(waves(), ['a', 'b']))
        batch = learner.batch(waves(), [0, 1, 0, 1])
        with tf.GradientTape() as tape:
            losses = learner.losses(batch)
            totals[precision] = learner.objective.total(losses, 4)
        variables = learner.model.trainable_variables
        found = tape.gradient(totals[precision], variables)
        rows = learner_checks.tensors(batch)
        _, wanted = learner.task.gradients(rows, learner.model, learner.global_step)
        for one, other, variable in zip(found, wanted, variables, strict=True):
            scale = np.abs(other).max() + 1e-9
            np.testing.assert_allclose(one / scale, other / scale, atol=1e-4, err_msg=variable.name)
        assert float(totals[precision]) == pytest.approx(learner.step(batch)['loss'], rel=1e-5)
    assert abs(totals['float32'] - totals['mixed_bfloat16']) > 1e-5
