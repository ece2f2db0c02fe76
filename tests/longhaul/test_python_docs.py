"""The blocks of docs/python.md, run one after another as a reader would."""

import re
import textwrap
from pathlib import Path

import numpy as np
import pytest

import longhaul

ROOT = Path(__file__).parents[2]
DOCS = ROOT / 'docs/python.md'


@pytest.fixture(scope='module')
def ran(digit_records, tmp_path_factory):
    """The names that the blocks leave behind."""
    blocks = re.findall(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)
    assert len(blocks) > 8
    code = '\n'.join(blocks)
    assert "records='records/digits'" in code
    code = code.replace("'records/digits'", repr(digit_records))
    found = {}
    with pytest.MonkeyPatch.context() as patch:
        # Gin files and records are found from any folder.
        patch.chdir(tmp_path_factory.mktemp('python'))
        exec(code, found)
    return found


def test_the_blocks_do_what_they_say(ran):
    assert np.isfinite(ran['logs']['loss'])
    assert ran['logs']['gradient_norm'] > 0
    assert {'reconstruction_loss', 'supervised_loss', 'accuracy'} <= ran['logs'].keys()
    assert all(gradient is not None for gradient in ran['gradients'])
    assert ran['curve'].explained.max() <= 1
    assert ran['batch']['inputs'].shape == (16, 64, 1)


def test_a_run_an_export_and_a_stream_agree(ran):
    loaded, inputs = ran['run'], ran['inputs']
    want = loaded.predict(inputs[:1])
    np.testing.assert_allclose(loaded.predict([inputs[0]]), want, rtol=1e-6)
    stream = loaded.stream()
    for chunk in np.split(inputs[0].astype(np.float16), 4):
        stream.read(chunk)
    assert stream.steps == 60
    np.testing.assert_allclose(stream.probabilities(), want[0], rtol=1e-5)
    exported = ran['stream'].classify()['probabilities']
    np.testing.assert_allclose(exported, want, rtol=1e-5)


def test_the_lines_of_the_readme_run(tmp_path, monkeypatch):
    text = (ROOT / 'README.md').read_text()
    begin = text.index('    import longhaul\n')
    code = textwrap.dedent(re.match(r'(?:    .*\n)+', text[begin:])[0])
    monkeypatch.chdir(tmp_path)
    sequences = np.random.default_rng(0).uniform(size=[24, 30, 2]).astype(np.float32)
    # No batch: a step of the sizes that stand there takes long to trace.
    found = {'sequences': sequences, 'dataset': []}
    exec(code, found)
    assert found['learner'].predict(sequences[:3]).shape == (3, 2)
    assert longhaul.load_run('runs/own').class_names == ('calm', 'storm')


def test_every_public_name_is_documented():
    text = DOCS.read_text()
    for name in longhaul.__all__:
        assert f'longhaul.{name}' in text or f'`{name}' in text, name


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no 'learner'; it has .*Learner"):
        longhaul.learner  # noqa: B018
    assert set(longhaul.__all__) <= set(dir(longhaul))
