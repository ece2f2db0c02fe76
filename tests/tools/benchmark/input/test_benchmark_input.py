"""`tools.benchmark input`: what it refuses, and one real measurement."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import small_data

from tools.benchmark import __main__ as command

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('input --steps=0', 'error: --steps=0: a whole number of at least 1 is needed'),
        ('input --records=here', 'error: --gin_file=, --records=here: give both, or neither'),
        ('input --batch=3', 'error: unrecognized arguments: --batch=3; see --help'),
    ],
)
def test_refuses_in_one_line(arguments, message, capsys):
    try:
        code = command.main(arguments.split())
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert (code, said.count('\n')) == (2, 1)
    assert said.startswith(message)


@pytest.mark.long
def test_a_measurement_of_ones_own_records(digit_records, tmp_path):
    gin_file, rows = tmp_path / 'tiny.gin', tmp_path / 'rows.json'
    gin_file.write_text('\n'.join(small_data.TINY_RUN) + '\n')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'tools.benchmark', 'input', f'--records={digit_records}'),
            *(f'--gin_file={gin_file}', '--steps=3', '--repeats=2', f'--json={rows}'),
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(rows.read_text())
    assert row['batches'] == '3 of 16'
    assert len(row['ratios']) == 2
    assert min(row['memory_seconds'], row['records_seconds']) > 0
    assert f'| {row["ratio"]:.3f} |' in done.stdout
