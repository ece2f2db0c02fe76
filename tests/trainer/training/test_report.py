"""The page at a run's end: whatever becomes of it, the run is complete."""

import stat
from pathlib import Path

import pytest
import small_data

from trainer import bindings, commands
from trainer.commands import Command
from trainer.training import report

ROOT = Path(__file__).parents[3]


@pytest.fixture
def python(monkeypatch, tmp_path):
    """Puts a script in Python's place."""

    def put(script: str) -> None:
        path = tmp_path / 'python'
        path.write_text(f'#!/bin/sh\n{script}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(report.sys, 'executable', str(path))

    return put


def test_the_tool_writes_the_page(python, tmp_path):
    python(
        f'echo "$@" > {tmp_path}/said; echo $CUDA_VISIBLE_DEVICES $PYTHONPATH >> {tmp_path}/said'
    )
    said = []
    assert report.write_report('my run', say=said.append)
    assert said == ['report: my run/report.html']
    command, environment = (tmp_path / 'said').read_text().splitlines()
    assert command == '-m tools.report my run --html=my run/report.html'
    assert environment.startswith(f'-1 {ROOT}')


@pytest.mark.parametrize(
    ('script', 'why'),
    [
        ('echo first >&2; echo error: no room >&2; exit 2', 'error: no room'),
        ('exit 9', 'exit code 9'),
        ('kill -9 $$', 'exit code -9'),
        ('sleep 60', 'timed out'),
    ],
)
def test_without_a_page_the_run_is_complete(python, tmp_path, script, why):
    python(script)
    said = []
    assert not report.write_report(str(tmp_path), say=said.append, seconds=2.0)
    assert len(said) == 1
    assert said[0].startswith('no report.html: ')
    assert why in said[0]
    assert said[0].endswith('; the run itself is complete')


def test_without_python_the_run_is_complete(monkeypatch, tmp_path):
    monkeypatch.setattr(report.sys, 'executable', str(tmp_path / 'none'))
    said = []
    assert not report.write_report(str(tmp_path), say=said.append)
    assert 'No such file' in said[0]


@pytest.mark.long
def test_a_real_refusal_is_told_in_one_line(tmp_path):
    said = []
    assert not report.write_report(str(tmp_path), say=said.append)
    assert said == [
        f'no report.html: error: RUN={tmp_path}: holds no run; train first with --mode=train; '
        'the run itself is complete'
    ]


@pytest.mark.parametrize(
    ('wanted', 'flags', 'diagnostics'),
    [
        (True, {'report': True}, True),
        (False, {}, True),
        (False, {'report': True}, False),
        (False, {'report': True, 'mode': 'eval'}, True),
        (False, {'report': True, 'mode': 'train'}, True),
        (False, {'report': True, 'dry_run': True}, True),
    ],
)
def test_runs_that_end_and_have_measured_get_a_page(wanted, flags, diagnostics):
    params = [*small_data.TINY_RUN, f'RunConfig.diagnostics={diagnostics}']
    settings = bindings.load(gin_files=[], gin_params=params, records='here')
    values = {'mode': 'train_and_eval', 'model_dir': 'run', 'gin_files': [], 'gin_params': []}
    assert commands._reports(Command(**values | flags), settings) == wanted
