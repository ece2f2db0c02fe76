"""Checkpoints that a lost machine has damaged."""

import os
from pathlib import Path

import numpy as np
import pytest
import small_data
from whole_runs import execute, variables

from trainer.run_dir.folder import ModelDir

PARAMS = [
    *small_data.TINY_RUN,
    'RunConfig.log_interval=2',
    'RunConfig.checkpoint_interval=2',
    'RunConfig.keep_checkpoints=3',
]


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


def steps(count):
    return f'RunConfig.train_steps={count}'


def cut(path):
    os.truncate(path, os.path.getsize(path) // 2)


@pytest.mark.parametrize(
    'damage',
    [
        lambda folder: cut(folder / 'ckpt-6.data-00000-of-00001'),
        pytest.param(lambda f: cut(f / 'ckpt-6.index'), marks=pytest.mark.long),
        pytest.param(lambda f: (f / 'ckpt-6.index').unlink(), marks=pytest.mark.long),
    ],
)
def test_the_one_before_is_gone_on_from(gin_file, digit_records, tmp_path, capsys, damage):
    run, whole = tmp_path / 'run', tmp_path / 'whole'
    assert execute(gin_file, run, 'train', steps(6), records=digit_records) == 0
    damage(run / 'checkpoints')
    assert execute(gin_file, run, 'train', steps(8), records=digit_records) == 0
    said = capsys.readouterr().err
    assert f'{run}/checkpoints/ckpt-6: cannot be read; going on from' in said
    assert 'ckpt-4' in said
    assert ModelDir(str(run)).latest_step() == 8
    assert execute(gin_file, whole, 'train', steps(8), records=digit_records) == 0
    for name, value in variables(whole).items():
        np.testing.assert_array_equal(variables(run)[name], value, err_msg=name)


def test_none_that_can_be_read_is_refused(gin_file, digit_records, tmp_path, capsys):
    run = tmp_path / 'run'
    assert execute(gin_file, run, 'train', steps(6), records=digit_records) == 0
    for path in Path(run / 'checkpoints').glob('*.index'):
        cut(path)
    assert execute(gin_file, run, 'train', steps(8), records=digit_records) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith(f'error: {run}/checkpoints: none of 3 checkpoints can be read')
