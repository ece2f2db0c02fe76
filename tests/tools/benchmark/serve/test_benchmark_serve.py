"""`serve`: its rows are those of a loop and of a server's clients; what it refuses."""

import json

import pytest

from tools.benchmark import __main__ as benchmark
from tools.benchmark.serve import run as serve


def test_refusals(tmp_path, capsys):
    for flag, words in (('--clients=0', 'at least 1'), ('--seconds=0', 'above 0')):
        assert benchmark.main(['serve', '--export=x', flag]) == 2
        assert f'{flag}: ' in (said := capsys.readouterr().err)
        assert words in said
    assert benchmark.main(['serve', f'--export={tmp_path / "none"}']) == 2
    assert 'cannot be loaded' in capsys.readouterr().err


def test_what_a_row_says():
    asked = []
    row = serve._measured('loop', [lambda: asked.append(1)] * 3, 0.05)
    assert row['clients'] == 3
    assert len(asked) == row['items'] + 9
    assert row['p50_ms'] <= row['p99_ms']


@pytest.mark.long
def test_a_server_under_load(exported, tmp_path, capsys):
    """All of its answers come; no timing is asserted."""
    path, folder = tmp_path / 'rows.json', tmp_path / 'export'
    folder.mkdir()
    (folder / '7').symlink_to(exported('bytes'))
    flags = [f'--export={folder}', '--clients=4', '--seconds=1', '--rows=2', f'--json={path}']
    assert benchmark.main(['serve', *flags]) == 0, capsys.readouterr().err
    rows = json.loads(path.read_text())
    assert [row['clients'] for row in rows] == [1, 1, 4, 4, 4]
    assert all(row['items'] > 0 for row in rows)
    assert all(row['server_mb'] > 100 for row in rows[1:])
