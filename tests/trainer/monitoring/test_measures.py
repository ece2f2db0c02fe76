"""What a validation measures, added to its numbers."""

import json

import numpy as np
import pytest
from small_models import config_of, task_of

from trainer.data.batches import SplitInput
from trainer.monitoring.measures import Measures, curve_json, probe
from trainer.monitoring.memory_curve import MemoryCurve


def split_of(folder):
    config = config_of(folder)
    return SplitInput(folder, 'validation', task_of(config).info, config.objective, seed=0)


def last_steps(split, rows, count):
    """States [n, count * C] that hold the last steps, in parts as an evaluation has them."""
    inputs = split.read(rows)['inputs'].astype(np.float32)
    held = inputs[:, -count:].reshape(len(rows), -1)
    return [(rows[i : i + 16].astype(np.int32), held[i : i + 16]) for i in range(0, len(rows), 16)]


def test_a_probe_finds_what_states_hold_whatever_their_order(digit_records):
    split = split_of(digit_records)
    rows = np.arange(len(split.reader))
    curve = probe(split, last_steps(split, rows, 4))
    assert len(curve.distances) == 16
    assert curve.distances[0] == np.mean([1, 2, 4])
    assert 61 < curve.distances[-1] < 64
    near = curve.distances <= 4
    assert np.nanmin(curve.explained[near]) > 0.95
    assert np.nanmean(curve.explained[~near]) < 0.5
    turned = probe(split, last_steps(split, rows[::-1], 4))
    np.testing.assert_allclose(turned.explained, curve.explained, atol=1e-6)


@pytest.mark.parametrize('data', ['text_records', 'signal_records'])
def test_of_documents_the_longer_half_is_probed(request, data):
    """Every distance lies in all of them."""
    split = split_of(request.getfixturevalue(data))
    lengths = split.reader.entries['length']
    rows = np.argsort(lengths, kind='stable')  # As evaluations go.
    rows = rows if len(rows) > 60 else np.tile(rows, 3)
    curve = probe(split, last_steps(split, rows, 1))
    longest = np.median(lengths[rows]).astype(int)
    assert longest * 0.9 < curve.distances[-1] <= longest
    assert 0 <= curve.total <= 1


def test_too_few_sequences_have_no_curve(digit_records):
    split = split_of(digit_records)
    assert probe(split, last_steps(split, np.arange(19), 4)) is None
    assert curve_json(None) is None


def test_a_curve_is_json_without_nan():
    curve = MemoryCurve(np.array([1, 9]), np.array([0.123456, np.nan]), 0.5)
    text = json.dumps(curve_json(curve), allow_nan=False)
    assert json.loads(text) == {'distances': [1, 9], 'explained': [0.1235, None], 'total': 0.5}


def test_numbers_are_added_and_advice_is_given_once(digit_records):
    split, said, drawn = split_of(digit_records), [], []
    states = last_steps(split, np.arange(40), 4)
    measures = Measures(
        split=split,
        states=lambda: states,
        auxiliary=lambda: ({'reconstruction': 0.001, 'prediction': 0.4}, {'supervised': 2.5}),
        draw=drawn.append,
        say=said.append,
    )
    measures({'loss': 1.0})
    assert not said  # The weights have hardly begun to learn.
    for _ in range(2):
        logs = {'loss': 1.0}
        measures(logs)
    memory = logs.pop('memory')
    assert memory == pytest.approx(probe(split, states).total)
    assert logs == {
        'loss': 1.0,
        'reconstruction_state_use': 0.001,
        'prediction_state_use': 0.4,
        'supervised_recurrent_gradient': 2.5,
    }
    assert len(said) == 1
    assert 'reconstruction loss hardly uses the state' in said[0]
    assert len(drawn) == 3
    assert drawn[0].ndim == 4
    assert drawn[0].dtype == np.uint8
    assert drawn[0].std() > 0


def test_without_auxiliary_losses_there_is_the_curve_alone(digit_records):
    split = split_of(digit_records)
    states, logs = last_steps(split, np.arange(40), 4), {}
    parts = {'auxiliary': None, 'draw': lambda picture: None, 'say': pytest.fail}
    Measures(split=split, states=lambda: states, **parts)(logs)
    assert logs.keys() == {'memory'}
