"""One process at a time in a model_dir."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.format.errors import LonghaulError
from trainer import lock

ROOT = Path(__file__).parents[2]
HOLDER = (
    'import sys, time; from trainer import lock\n'
    'with lock.held(sys.argv[1]):\n    print("held", flush=True); time.sleep(60)'
)


def test_a_dead_process_holds_nothing(tmp_path):
    with subprocess.Popen(
        [sys.executable, '-c', HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout.readline() == 'held\n'
        with pytest.raises(LonghaulError) as error, lock.held(str(tmp_path)):
            pass
        assert f'--model_dir={tmp_path}: process {other.pid} on ' in str(error.value)
        assert 'wait for it, end it, or name another' in str(error.value)
        other.kill()
    with lock.held(str(tmp_path)):
        pass


def test_is_let_go_of_in_the_end(tmp_path):
    for _ in range(2):
        with lock.held(str(tmp_path)), pytest.raises(LonghaulError), lock.held(str(tmp_path)):
            pass
