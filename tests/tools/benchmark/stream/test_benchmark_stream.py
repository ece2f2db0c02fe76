"""`stream`: refusals; the rows are those of a sequence that was read to its end."""

import json

import numpy as np
import pytest

from pipelines.format.spec import SequenceSpec, signal_spec
from tools.benchmark import __main__ as benchmark
from tools.benchmark.stream import run as stream


class Counting:
    """An export that counts the steps it is sent."""

    def __init__(self, spec, streams=True):
        self.spec, self.streams, self.lengths, self.dtypes = spec, streams, [], set()

    def call(self, signature, **inputs):
        if signature == 'advance':
            assert inputs['inputs'].shape[:2] == (len(inputs['lengths']), inputs['lengths'][0])
            assert inputs['inputs'].shape[2:] == tuple(self.spec.step_shape)
            self.lengths.append(int(inputs['lengths'][0]))
            self.dtypes.add(inputs['inputs'].dtype.name)
        return {'h': np.zeros([1, 2], np.float32)}


@pytest.mark.parametrize(
    'spec',
    [SequenceSpec('image', image_size=4), signal_spec(dtype='float16', channels=3)],
    ids=['image', 'signal'],
)
def test_all_steps_are_sent(monkeypatch, tmp_path, capsys, spec):
    model = Counting(spec)
    monkeypatch.setattr('tools.predict.model.ExportedModel', lambda folder: model)
    path = tmp_path / 'rows.json'
    stream.run(stream.Options('x', steps=2500, chunk_steps=300, batch=2, json=str(path)))
    assert sum(model.lengths) == 2500
    assert model.lengths == [300] * 8 + [100]
    assert model.dtypes == {spec.dtype}
    rows = json.loads(path.read_text())
    assert rows[-1]['steps'] == 2500
    assert all(row['resident_mb'] > 10 for row in rows)
    assert '| 2,500 |' in capsys.readouterr().out


def test_refusals(monkeypatch, tmp_path, capsys):
    assert benchmark.main(['stream', '--export=x', '--batch=0']) == 2
    assert '--batch=0: a whole number of at least 1 is needed' in capsys.readouterr().err
    assert benchmark.main(['stream', f'--export={tmp_path / "none"}', '--steps=5']) == 2
    assert 'cannot be loaded' in capsys.readouterr().err
    model = Counting(SequenceSpec('image', image_size=4), streams=False)
    monkeypatch.setattr('tools.predict.model.ExportedModel', lambda folder: model)
    assert benchmark.main(['stream', '--export=x']) == 2
    assert 'is no recurrent model' in capsys.readouterr().err
