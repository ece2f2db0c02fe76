"""`python -m tools.query` against a server that speaks TensorFlow Serving's contract."""

import json
import subprocess
import sys
from pathlib import Path

import exports
import pytest
from typed import stdin_of, typed

from tools.predict.__main__ import main as predict
from tools.query.__main__ import main

ROOT = Path(__file__).parents[3]


@pytest.fixture
def files(tmp_path):
    """Items of a kind as files, one of them unreadable."""

    def make(kind):
        for i, item in enumerate([*exports.items_of(kind, 3), b'']):
            (tmp_path / f'{i}.x').write_bytes(item)
        return tmp_path

    return make


def flags(server, rest):
    return ['--rest', f'--server={server.rest}'] if rest else [f'--server={server.grpc}']


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
@pytest.mark.parametrize('kind', exports.KINDS)
def test_it_says_what_tools_predict_says(server, exported, files, capsys, kind, rest):
    place, common = files(kind), ['--json', '--top=3', '--batch_size=3']
    want = typed(predict, capsys, exported(kind), place, *common)
    found = typed(main, capsys, place, *common, f'--model={kind}', *flags(server, rest))
    assert found == want
    assert found.code == 1
    assert len(found.out.splitlines()) == 4


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_standard_input_and_versions(server, capsys, monkeypatch, rest):
    said = []
    for version in ([], ['--version=7'], ['--version=9']):
        stdin_of(monkeypatch, b'abc')
        done = typed(main, capsys, '-', '--model=bytes', *version, *flags(server, rest))
        assert done.code == 0
        said.append(done.out)
    assert len(set(said)) == 1
    stdin_of(monkeypatch, b'abc')
    asked = ['-', '--model=bytes', '--version=8', *flags(server, rest)]
    refusal = typed(main, capsys, *asked).refusal
    assert '--model=bytes' in refusal
    assert 'Specific(bytes, 8)' in refusal


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
@pytest.mark.parametrize('model', ['nobody', 'a/b', 'é', '%2e', 'bytes:predict', ''])
def test_a_model_that_is_not_there(server, capsys, tmp_path, rest, model):
    (tmp_path / 'x').write_bytes(b'abc')
    done = typed(main, capsys, tmp_path, f'--model={model}', *flags(server, rest))
    # A name that makes no address is refused by the server, or its file is.
    assert done.code in (1, 2)
    assert done.err.count('\n') + done.out.count('\n') == 1
    assert 'cat' not in done.out
    if done.code == 2:
        assert f'--model={model}' in done.refusal


def test_no_tensorflow_is_imported(server, tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    code = (
        'import sys; from tools.query.__main__ import main\n'
        'for flags in (["--server=" + sys.argv[2]], ["--rest", "--server=" + sys.argv[3]]):\n'
        '    assert main([sys.argv[1], "--model=bytes", *flags]) == 0\n'
        'print(sorted({"tensorflow", "tf_keras", "trainer.serving.export"} & set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, str(tmp_path), server.grpc, server.rest],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    one, two, imported = done.stdout.splitlines()
    assert one == two
    assert '%' in one
    assert imported == '[]'


@pytest.mark.parametrize(
    ('asked', 'words'),
    [
        (['--server=localhost'], ['--server=localhost', 'HOST:PORT']),
        (['--server=http://localhost:1'], ['HOST:PORT']),
        (['--server=localhost:65536'], ['HOST:PORT']),
        (['--server=:8500'], ['HOST:PORT']),
        (['--server=a b:1'], ['HOST:PORT']),
        (['--server=[1.2]:8501', '--rest'], ['HOST:PORT']),
        (['--batch_size=0'], ['--batch_size=0']),
        (['--top=0'], ['--top=0']),
        (['--timeout=0'], ['--timeout=0']),
        (['--timeout=nan'], ['--timeout=nan']),
        (['--timeout=inf'], ['--timeout=inf']),
        (['--version=-1'], ['--version=-1']),
        (['--version=99999999999999999999'], ['--version=99999999999999999999']),
    ],
)
@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_refusals(capsys, asked, words, rest):
    given = [] if any(a.startswith('--server') for a in asked) else ['--server=localhost:1']
    done = typed(main, capsys, __file__, '--model=m', *given, *asked, *['--rest'] * rest)
    for word in words:
        assert word in done.refusal


def test_a_file_that_is_missing_spoils_nothing(server, capsys, tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    for rest in (False, True):
        done = typed(
            main, capsys, tmp_path / 'x', tmp_path / 'y', '--json', '--model=bytes',
            *flags(server, rest),
        )  # fmt: skip
        rows = [json.loads(line) for line in done.out.splitlines()]
        assert rows[0]['class_name']
        assert rows[1]['error'] == 'No such file or directory'
        assert done.code == 1
