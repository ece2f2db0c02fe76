"""docs/method.ipynb, run cell by cell as a reader would."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

NOTEBOOK = Path(__file__).parents[2] / 'docs/method.ipynb'


def code_cells():
    cells = json.loads(NOTEBOOK.read_text())['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


def test_it_is_python_without_outputs():
    cells = code_cells()
    assert len(cells) > 5
    for number, cell in enumerate(cells):
        compile(cell, f'cell {number}', 'exec')
    assert '"outputs": [],' in NOTEBOOK.read_text()
    assert NOTEBOOK.stat().st_size < 100_000


@pytest.mark.long
def test_the_r_lstm_keeps_what_the_plain_one_forgets(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    mpl.use('agg')
    found = {}
    for number, cell in enumerate(code_cells()):
        exec(compile(cell, f'cell {number}', 'exec'), found)
    accuracy, memory = found['accuracy'], found['memory']
    assert accuracy['r-LSTM'] > accuracy['plain LSTM'] + 0.15
    assert memory['r-LSTM'] > memory['plain LSTM'] + 0.1
    said = capsys.readouterr().out
    gradients = [float(line.split()[-1]) for line in said.splitlines() if 'embedding:' in line]
    assert len(gradients) == 2
    assert gradients == [0.0, 0.0]
