"""The Python of docs/serving.md, as it stands there, against a server."""

import re
from pathlib import Path

import exports

DOCS = Path(__file__).parents[3] / 'docs/serving.md'
# What stands there, and what this server has.
NAMES = {
    'localhost:8500': None,
    "'photos'": "'image'",
    "'logs'": "'bytes'",
    'steps = 300': f'steps = {exports.STEPS}',
    'read(4096)': 'read(4)',
}


def test_the_examples_run(server, exported, tmp_path, monkeypatch, capsys):
    blocks = re.findall(r'```python\n(.*?)```', DOCS.read_text(), re.DOTALL)
    assert len(blocks) == 3
    code = '\n'.join(blocks)
    for said, ours in NAMES.items():
        assert said in code
        code = code.replace(said, ours or server.grpc)
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


def test_every_signature_is_documented():
    text = DOCS.read_text()
    for name in (
        'serving_default', 'decode', 'tokens', 'encode', 'start', 'advance', 'classify', 'recall',
    ):  # fmt: skip
        assert f'\n| `{name}` |' in text
