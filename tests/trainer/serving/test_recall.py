"""`recall` of readouts and of decoders that are told the distance, for each kind of sequence."""

import dataclasses

import exports
import numpy as np
import pytest
import tensorflow as tf

from pipelines.format import sequences
from trainer.models.architectures import make_model
from trainer.serving import module

KINDS = ('image', 'characters', 'signal')


def served_with(kind, **objective):
    config = exports.config_of(kind)
    config = dataclasses.replace(
        config,
        model=dataclasses.replace(config.model, readout_units=5),
        objective=dataclasses.replace(config.objective, **objective),
    )
    model = make_model(config, exports.SPECS[kind], classes=len(exports.CLASSES))
    for i, variable in enumerate(model.reconstruction.trainable_variables):
        variable.assign_add(tf.random.stateless_normal(variable.shape, [0, i], stddev=0.3))
    return module.ServingModule(model, exports.SPECS[kind], exports.CLASSES)


def state_of(served, kind):
    state = served.encode({'data': tf.constant(exports.items_of(kind, 3))})
    return {name: state[name] for name in ('c', 'h')}


@pytest.mark.parametrize('kind', KINDS)
def test_a_readout_says_what_lies_at_any_distance(kind):
    served, spec = served_with(kind, reconstruction_form='readout'), exports.SPECS[kind]
    assert served.inputs_of('recall').keys() == {'c', 'h', 'distances'}
    state, asked = state_of(served, kind), [1, 30, 2, 7]
    recall = served.get_inference_signatures({'recall': 'recall'})['recall']
    found = recall(**state, distances=tf.constant(asked))['values'].numpy()
    assert (found.dtype, found.shape) == (spec.dtype, (3, 4, *spec.step_shape))
    said = served.model.reconstruction(state['h'], tf.constant(asked)).numpy()
    if kind == 'characters':
        np.testing.assert_array_equal(found, said.argmax(axis=-1))
    elif kind == 'image':
        assert np.abs(found - said.clip(0, 1) * 255).max() <= 0.51
        assert len(np.unique(found)) > 2
    else:
        np.testing.assert_allclose(found, said, rtol=1e-3, atol=1e-4)
    one = served.recall({**state, 'distances': tf.constant([7])})['values']
    np.testing.assert_array_equal(one[:, 0], found[:, 3])


@pytest.mark.parametrize('kind', KINDS)
def test_a_decoder_that_is_told_says_other_things_of_other_distances(kind):
    served = served_with(kind, decoder_knows_distance=True)
    assert served.inputs_of('recall').keys() == {'c', 'h', 'first', 'steps', 'distance'}
    item = tf.constant(exports.items_of(kind, 3)[0])
    first = tf.stack([sequences.decode(item, exports.SPECS[kind])[0]] * 3)
    about = {**state_of(served, kind), 'first': first, 'steps': tf.constant(8)}
    near, far = (
        served.recall({**about, 'distance': tf.constant(d)})['values'].numpy() for d in (9, 20)
    )
    assert near.shape == (3, 8, *exports.SPECS[kind].step_shape)
    assert (near != far).any()


def test_what_is_no_distance_is_refused(monkeypatch):
    served = served_with('image', reconstruction_form='readout')
    state = state_of(served, 'image')
    for wrong in ([0], [3, -1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match='distances: at least 1'):
            served.recall({**state, 'distances': tf.constant(wrong)})
    with pytest.raises(tf.errors.InvalidArgumentError, match='distances: 1 to 65536'):
        served.recall({**state, 'distances': tf.zeros([0], tf.int32)})
    # Three rows of three channels each.
    monkeypatch.setattr(module, 'MAX_SAID', 10 * 3 * 3)
    assert served.recall({**state, 'distances': tf.range(1, 11)})['values'].shape == (3, 10, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match='90 values in all rows'):
        served.recall({**state, 'distances': tf.range(1, 12)})
    monkeypatch.setattr(module, 'MAX_READ_OUT', 9 * 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match='at most 9 are allowed at once'):
        served.recall({**state, 'distances': tf.range(1, 11)})
    told = served_with('image', decoder_knows_distance=True)
    first = tf.zeros([3, 3], tf.uint8)
    about = {'first': first, 'steps': tf.constant(2), 'distance': tf.constant(0)}
    with pytest.raises(tf.errors.InvalidArgumentError, match='distance: at least 1'):
        told.recall({**state, **about})
