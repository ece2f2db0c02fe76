"""One process at a time in a folder."""

import subprocess
import sys
from pathlib import Path

import pytest
import small_data
from whole_runs import execute

from pipelines import lock
from pipelines.format.errors import LonghaulError

HOW = {'flag': '--dir', 'doing': 'works', 'say': print}
ROOT = Path(__file__).parents[2]
HOLDER = (
    'import sys, time; from pipelines import lock\n'
    'with lock.held(sys.argv[1], flag="--dir", doing="works", say=print):\n'
    '    print("held", flush=True); time.sleep(60)'
)


def test_a_dead_process_holds_nothing(tmp_path):
    with subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(LonghaulError) as error, lock.held(str(tmp_path), **HOW):
            pass
        assert f'--dir={tmp_path}: process {other.pid} on ' in str(error.value)
        assert 'wait for it, end it, or name another' in str(error.value)
        other.kill()
    with lock.held(str(tmp_path), **HOW):
        pass


def test_is_let_go_of_in_the_end(tmp_path):
    for _ in range(2):
        with (
            lock.held(str(tmp_path), **HOW),
            pytest.raises(LonghaulError),
            lock.held(str(tmp_path), **HOW),
        ):
            pass


def test_two_runs_in_one_model_dir(digit_records, tmp_path, capsys):
    gin_file, run = tmp_path / 'tiny.gin', tmp_path / 'run'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, 'RunConfig.train_steps=1']) + '\n')
    run.mkdir()
    with lock.held(str(run), **HOW):
        assert execute(str(gin_file), run, 'train', records=digit_records) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f'error: --model_dir={run}: process ')
    assert execute(str(gin_file), run, 'train', records=digit_records) == 0


def test_what_cannot_be_locked_is_said(tmp_path):
    said = []
    with lock.held('gs://bucket/run', **HOW | {'say': said.append}):
        pass
    where, _, what = said[0].rpartition(': ')
    assert where == 'gs://bucket/run'
    assert what == 'is no local folder, so it cannot be locked; start nothing else there'
