"""Which steps are asked for, and at which distances, of models that append 20 steps to 36."""

import functools

import exports
import numpy as np
import pytest
import tensorflow as tf

from tools import recalling
from tools.predict.model import ExportedModel
from tools.predict.reconstruction import reconstruct


@pytest.fixture(scope='module')
def model(exported):
    return {kind: ExportedModel(exported(kind)) for kind in exports.RECALLING}


@functools.cache
def item():
    return exports.items_of('image', 1)[0]


def state_of(model):
    found = model.call('encode', data=np.array([item()], object))
    return {name: found[name] for name in ('c', 'h')}


def asked(model, monkeypatch):
    """What `recall` is called with from here on."""
    found, call = [], model.call

    def note(signature, **inputs):
        if signature == 'recall':
            found.append(inputs)
        return call(signature, **inputs)

    monkeypatch.setattr(model, 'call', note)
    return found


@pytest.mark.parametrize(('outputs', 'calls'), [(1 << 19, 1), (5 * 3 * 256, 8), (1, 36)])
def test_a_readout_says_all_steps_from_the_state_behind_the_tail(
    model, monkeypatch, outputs, calls
):
    monkeypatch.setattr(recalling, '_OUTPUTS', outputs)
    questions = asked(model['readout'], monkeypatch)
    truth, guess, begin = reconstruct(model['readout'], item())
    assert begin == 0
    assert truth.shape == guess.shape == (36, 3)
    assert len(questions) == calls
    assert np.concatenate([q['distances'] for q in questions]).tolist() == list(range(56, 20, -1))
    hidden = state_of(model['readout'])['h']
    said = exports.model_of('readout').reconstruction
    for step in (0, 17, 35):
        want = said.recall(hidden, np.array([56 - step], np.int32), tf.float32)[0, 0]
        want = 255 * np.clip(want, 0, 1)
        assert np.abs(guess[step].astype(float) - want).max() <= 0.51
    assert len(np.unique(guess, axis=0)) > 1


def test_a_readout_is_asked_about_the_last_steps_of_what_is_long(model, monkeypatch):
    whole = reconstruct(model['readout'], item())
    monkeypatch.setattr(recalling, '_MOST_STEPS', 7)
    truth, guess, begin = reconstruct(model['readout'], item())
    assert begin == 29
    np.testing.assert_array_equal(truth, whole.truth)
    np.testing.assert_array_equal(guess[:29], truth[:29])
    np.testing.assert_array_equal(guess[29:], whole.guess[29:])


def test_a_decoder_is_told_how_far_back_the_stretch_begins(model, monkeypatch):
    questions = asked(model['told'], monkeypatch)
    truth, guess, begin = reconstruct(model['told'], item())
    assert begin == 36 - exports.STEPS
    (question,) = questions
    assert question['distance'] == exports.STEPS + 20
    np.testing.assert_array_equal(question['first'][0], truth[begin])
    np.testing.assert_array_equal(guess[: begin + 1], truth[: begin + 1])
    place = {'first': truth[np.newaxis, begin], 'steps': np.int32(exports.STEPS - 1)}
    place |= state_of(model['told'])
    far, near = (
        model['told'].call('recall', distance=np.int32(d), **place)['values'][0] for d in (32, 12)
    )
    np.testing.assert_array_equal(guess[begin + 1 :], far)
    assert (far != near).any()
