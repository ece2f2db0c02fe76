"""A loss at anchors that this module registers: what it takes, and what it changes."""

import numpy as np
import pytest
import tensorflow as tf
from small_models import config_of, small, task_of

from pipelines.format.errors import LonghaulError
from trainer import loading
from trainer.models import anchor_losses
from trainer.models.anchor_losses import AnchorLoss
from trainer.models.layers import Dense
from trainer.monitoring.state_use import gradient_norms
from trainer.training.learner import Learner

MINE = "ObjectiveConfig.anchor_losses={'place': 0.5}"
PARAMS = ('ObjectiveConfig.anchors_per_window=3', 'ObjectiveConfig.reconstruction_weight=0.0')


@pytest.fixture
def place(monkeypatch):
    """A loss that asks a state how many steps lie behind it, by a layer of its own."""

    def losses(states):
        wanted = tf.cast(tf.reshape(states.anchors.positions, [-1, 1]), tf.float32) / 64
        return tf.reduce_sum((states.part(states.hidden) - wanted) ** 2, axis=-1)

    def build(make, config, input_rows):
        del input_rows
        return Dense(make, 'place/output', inputs=config.hidden_units, units=1)

    monkeypatch.setattr(anchor_losses, 'ANCHOR_LOSSES', dict(anchor_losses.ANCHOR_LOSSES))
    loss = AnchorLoss(losses, build)
    anchor_losses.register('place', loss)
    return loss


def test_a_registered_loss_is_weighed_and_measured(digit_records, place):
    config, model, batch = small(digit_records, *PARAMS, MINE)
    objective = task_of(config).objective
    losses = objective.losses(model, batch)
    assert losses.at_anchors.keys() == {'place'}
    assert losses.at_anchors['place'].shape == losses.supervised.shape
    want = losses.supervised + 0.5 * losses.at_anchors['place']
    np.testing.assert_allclose(objective.weighted(losses), want, rtol=1e-6)
    norms = gradient_norms(objective, model, batch)
    assert norms.keys() == {'supervised', 'place'}
    assert norms['place'] > 0
    assert any(v.name.startswith('place/') for v in model.trainable_variables)


@pytest.mark.long
def test_training_lowers_it(digit_records, place):
    learner = Learner(config_of(digit_records, *PARAMS, MINE))
    step = next(learner.from_records('train'))
    logs = [learner.step(step) for _ in range(8)]
    assert logs[-1]['place_loss'] < logs[0]['place_loss']
    assert 'place_loss' in learner.evaluate([step])


BOTH = (*PARAMS, MINE, 'ObjectiveConfig.replication_weight=1.0')


def test_it_waits_for_no_labels(digit_records, place):
    learner = Learner(config_of(digit_records, *BOTH), supervised=False)
    batch = next(learner.from_records('train'))
    assert learner.losses(batch).at_anchors.keys() == {'place'}
    logs = learner.task.build_metrics()
    assert [metric.name for metric in logs] == ['loss', 'place_loss', 'gradient_norm']


@pytest.mark.long
def test_it_is_computed_in_parts(digit_records, place):
    parts = Learner(config_of(digit_records, *BOTH, 'DataConfig.accumulation_steps=2'))
    whole = Learner(config_of(digit_records, *BOTH))
    batch = next(whole.from_records('train'))
    one, two = whole.step(batch), parts.step(batch)
    assert {'place_loss', 'replication_loss'} <= one.keys()
    for name, value in one.items():
        assert two[name] == pytest.approx(value, rel=1e-4), name


def test_a_name_must_be_registered_and_free(digit_records, place):
    with pytest.raises(LonghaulError, match="'plaice' is not registered; name one of .*'place'"):
        small(digit_records, "ObjectiveConfig.anchor_losses={'plaice': 1.0}")
    with pytest.raises(LonghaulError, match='the name is taken'):
        anchor_losses.register('place', AnchorLoss(place.losses))
    with pytest.raises(LonghaulError, match='cannot be a name'):
        anchor_losses.register('prediction', place)


@pytest.mark.parametrize('value', ['3', "['place']", "{'place': -1}", "{'place': 'x'}", '{1: 1}'])
def test_weights_are_numbers_by_name(digit_records, value):
    with pytest.raises(LonghaulError, match='anchor_losses=.*weights in 0..1e6 by name'):
        config_of(digit_records, f'ObjectiveConfig.anchor_losses={value}')


def test_replication_has_a_weight_of_its_own(digit_records):
    with pytest.raises(LonghaulError, match='weighed by ObjectiveConfig.replication_weight'):
        config_of(digit_records, "ObjectiveConfig.anchor_losses={'replication': 1.0}")


def test_a_run_names_the_module_of_its_loss(digit_records, place, tmp_path, monkeypatch):
    """Its folder imports nothing: it may come from somebody else."""
    saved = Learner(config_of(digit_records, *PARAMS, MINE)).save(tmp_path)
    assert saved.startswith(str(tmp_path))
    assert loading.load_run(tmp_path).model.anchor_place is not None
    monkeypatch.delitem(anchor_losses.ANCHOR_LOSSES, 'place')
    for read in (loading.load_run, loading.export_run):
        with pytest.raises(LonghaulError, match=f"a loss 'place' .*; import the module {__name__}"):
            read(tmp_path)
