"""The command's refusals; its answers are tested with the export (tests/trainer/test_run.py)."""

import subprocess
import sys
from pathlib import Path

import pytest

from tools import predict

ROOT = Path(__file__).parents[2]


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['predict', *map(str, arguments)])
    with pytest.raises(SystemExit) as stopped:
        predict.main()
    return str(stopped.value.code)


def test_refuses_in_one_line(monkeypatch, tmp_path):
    (tmp_path / 'saved_model.pb').write_bytes(b'')
    message = run(monkeypatch, tmp_path / 'none', tmp_path)
    assert message.startswith(f'error: {tmp_path}/none: holds no SavedModel')
    message = run(monkeypatch, tmp_path, tmp_path, '--batch_size=0')
    assert message == 'error: --batch_size=0: at least 1 is needed'


def test_help_needs_no_tensorflow():
    code = 'import sys; from tools import predict; assert "tensorflow" not in sys.modules'
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)
