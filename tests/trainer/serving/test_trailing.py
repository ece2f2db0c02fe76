"""A served item gets the trailing steps that the job would have appended."""

import dataclasses

import exports
import numpy as np
import pytest

from pipelines.format.trailing import tail_of_served
from trainer.serving.decoding import decode_batch


def with_tail(kind, trailing):
    seed = 3 if trailing == 'noise' else None
    spec = exports.SPECS[kind]
    return dataclasses.replace(spec, trailing_steps=5, trailing=trailing, trailing_seed=seed)


@pytest.mark.parametrize(
    ('kind', 'trailing'),
    [
        pytest.param('image', 'noise', marks=pytest.mark.long),
        ('bytes', 'blank'),
        ('signal', 'noise'),
        pytest.param('image', 'blank', marks=pytest.mark.long),
        pytest.param('bytes', 'noise', marks=pytest.mark.long),
        pytest.param('characters', 'blank', marks=pytest.mark.long),
        pytest.param('characters', 'noise', marks=pytest.mark.long),
        pytest.param('signal', 'blank', marks=pytest.mark.long),
    ],
)
def test_a_batch_is_decoded_with_them(kind, trailing):
    """Each row's own steps, then the tail; what cannot be read, or is empty, stays unreadable."""
    items = [*exports.items_of(kind, 3), b'']
    spec = with_tail(kind, trailing)
    plain, found = decode_batch(items, exports.SPECS[kind]), decode_batch(items, spec)
    np.testing.assert_array_equal(found.readable, [True, True, True, False])
    for i in range(3):
        steps = int(plain.lengths[i])
        assert int(found.lengths[i]) == steps + 5
        row = found.inputs[i, : steps + 5]
        np.testing.assert_array_equal(row[:steps], plain.inputs[i, :steps])
        np.testing.assert_array_equal(row[steps:], tail_of_served(spec))
    assert int(found.lengths[3]) == (41 if kind == 'image' else 0)


def test_an_export_holds_them(tmp_path, monkeypatch):
    """All that a client sends is a raw item; chunks are as long as the client makes them."""
    spec = with_tail('signal', 'noise')
    monkeypatch.setitem(exports.SPECS, 'signal', spec)
    model = exports.Loaded(exports.export_of('signal', tmp_path))
    items = exports.items_of('signal', 2)
    decoded = model.call('decode', data=items)
    own = [exports_length - 5 for exports_length in decoded['lengths']]
    for i, steps in enumerate(own):
        tail = decoded['inputs'][i, steps : steps + 5]
        np.testing.assert_array_equal(tail, tail_of_served(spec))
    served = model.call('serving_default', data=items)['probabilities']
    state = model.call('start', batch_size=np.int32(2))
    lengths = np.array(own, np.int32)
    state = model.call('advance', inputs=decoded['inputs'], lengths=lengths, **state)
    without = model.call('classify', **state)['probabilities']
    assert np.abs(without - served).max() > 1e-6
    tail = np.broadcast_to(tail_of_served(spec), [2, 5, spec.channels])
    state = model.call('advance', inputs=tail, lengths=np.array([5, 5], np.int32), **state)
    np.testing.assert_array_equal(model.call('classify', **state)['probabilities'], served)
    card = (tmp_path / 'export/7/README.md').read_text()
    assert '5 steps of noise are appended to each of them.' in card
