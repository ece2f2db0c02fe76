"""The Python of docs/serving.md, README.md and the model card, as it stands there."""

import gc
import io
import json
import re
import textwrap
from pathlib import Path

import exports
import pytest
import tensorflow as tf

ROOT = Path(__file__).parents[3]
DOCS = ROOT / 'docs/serving.md'
# What stands there, and what this server has.
NAMES = {
    'localhost:8500': None,
    "'photos'": "'image'",
    "'logs'": "'bytes'",
    'steps = 300': f'steps = {exports.STEPS}',
    'read(4096)': 'read(4)',
}


STREAMED = {'localhost:8501': None, "'logs'": "'bytes'", 'read(4096)': 'read(4)'}


def examples(*, streamed: bool, names: dict, address: str) -> str:
    """The page's Python over WebSockets, or over gRPC."""
    blocks = re.findall(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)
    blocks = [block for block in blocks if ('websockets' in block) == streamed]
    assert len(blocks) == (1 if streamed else 3)
    code = '\n'.join(blocks)
    for said, ours in names.items():
        assert said in code
        code = code.replace(said, ours or address)
    return code


def test_the_stream_runs(server, exported, tmp_path, monkeypatch, capsys):
    (tmp_path / 'endless.log').write_bytes(b'0123456789')
    monkeypatch.chdir(tmp_path)
    exec(examples(streamed=True, names=STREAMED, address=server.rest), {})
    session, *names = capsys.readouterr().out.splitlines()
    assert json.loads(session)
    assert len(names) == 3
    whole = exports.Loaded(exported('bytes')).call('serving_default', data=[b'0123456789'])
    assert names[-1] == whole['class_name'][0].decode()


def test_the_examples_run(server, exported, tmp_path, monkeypatch, capsys):
    code = examples(streamed=False, names=NAMES, address=server.grpc)
    (tmp_path / 'photo.png').write_bytes(exports.items_of('image', 1)[0])
    (tmp_path / 'endless.log').write_bytes(b'0123456789')
    monkeypatch.chdir(tmp_path)
    found = {}
    exec(code, found)
    photo, *chunks = (line.rsplit(' ', 1) for line in capsys.readouterr().out.splitlines())
    assert photo[0] in exports.CLASSES
    assert len(chunks) == 3
    whole = exports.Loaded(exported('bytes')).call('serving_default', data=[b'0123456789'])
    assert chunks[-1][0] == whole['class_name'][0].decode()
    assert abs(float(chunks[-1][1]) - whole['probabilities'].max()) < 1e-5
    assert found['recalled'].shape == (1, exports.STEPS - 1, 3)


@pytest.mark.parametrize('card', [True, False])
def test_the_snippets_run_alone_and_in_a_data_set(exported, monkeypatch, card):
    """A signature needs the variables of its model, which goes with the object that was loaded."""
    export = Path(exported('transformer'))
    text = (export / 'README.md' if card else ROOT / 'README.md').read_text()
    begin = text.index('    import tensorflow as tf\n')
    code = re.match(r'(?:    .*\n)+', text[begin:] + '\n')[0]
    for said, ours in (('runs/photos/export/10000', '.'), ('dog.jpg', 'FILE')):
        assert card or said in code
        code = code.replace(said, ours)
    monkeypatch.chdir(export)
    found = {'open': lambda *_: io.BytesIO(b'a')}
    exec(textwrap.dedent(code), found)
    gc.collect()
    items = tf.data.Dataset.from_tensors(tf.constant([b'a']))
    (answer,) = items.map(lambda data: found['serve'](data=data))
    assert answer['class_name'].numpy()[0].decode() in exports.CLASSES


def test_every_signature_is_documented():
    text = DOCS.read_text()
    for name in (
        'serving_default', 'decode', 'tokens', 'encode', 'start', 'advance', 'classify', 'recall',
    ):  # fmt: skip
        assert f'\n| `{name}` |' in text
