"""Checkpoints that a lost machine has damaged, and folders in which none could be found."""

import os
from pathlib import Path

import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute, variables

from pipelines.format.errors import LonghaulError
from tools.predict.model import ExportedModel
from trainer.run_dir import healing
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


@pytest.mark.long
@pytest.mark.parametrize(
    'damage',
    [
        lambda folder: cut(folder / 'ckpt-6.data-00000-of-00001'),
        lambda folder: cut(folder / 'ckpt-6.index'),
        lambda folder: (folder / 'ckpt-6.index').unlink(),
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


def manager_of(folder, *, keep=2):
    step = tf.Variable(0, dtype=tf.int64)
    return step, tf.train.CheckpointManager(tf.train.Checkpoint(global_step=step), folder, keep)


def save(manager, step, *numbers):
    for number in numbers:
        step.assign(number)
        manager.save(checkpoint_number=number)


def contents(folder):
    return {p: p.read_bytes() for p in folder.rglob('*') if p.is_file()}


def test_a_checkpoint_that_a_run_replaces_meanwhile_is_not_said_to_be_damaged(
    tmp_path, monkeypatch
):
    folder, said = ModelDir(str(tmp_path)), []
    step, manager = manager_of(folder.best, keep=1)
    save(manager, step, 2)
    read = healing.is_whole

    def replaced_first(path):
        if path.endswith('ckpt-2'):
            save(manager, step, 4)
        return read(path)

    monkeypatch.setattr(healing, 'is_whole', replaced_first)
    folder.heal(say=said.append)
    assert not said
    assert folder.evaluated_checkpoint().endswith('ckpt-4')


@pytest.mark.parametrize(
    'damage',
    [
        os.unlink,
        lambda path: path.write_bytes(bytes(90)),
        lambda path: path.write_bytes(b'\xff\xfe'),
        lambda path: path.write_text('model_checkpoint_path: "/elsewhere/ckpt-7"'),
    ],
)
@pytest.mark.parametrize('part', ['checkpoints', 'best'])
def test_checkpoints_are_found_without_the_file_that_names_them(tmp_path, part, damage):
    folder, said = ModelDir(str(tmp_path / 'run')), []
    step, manager = manager_of(f'{folder.path}/{part}')
    save(manager, step, 2, 10, 4)
    damage(tmp_path / f'run/{part}/checkpoint')
    (tmp_path / f'run/{part}/ckpt-12.index').write_bytes(b'half')
    before = contents(tmp_path)
    folder.heal(say=said.append)
    assert len(said) == 1
    assert f'cannot be read; going on from {folder.path}/{part}/ckpt-10' in said[0]
    assert folder.evaluated_checkpoint().endswith('ckpt-10')
    assert contents(tmp_path) == before, 'another run may train there'
    folder.mend()
    folder.heal(say=said.append)
    assert len(said) == 1
    assert folder.evaluated_checkpoint().endswith('ckpt-10')
    # The run may be moved, and old checkpoints are still removed.
    (tmp_path / 'run').rename(tmp_path / 'moved')
    step, manager = manager_of(f'{tmp_path}/moved/{part}')
    save(manager, step, 12, 14)
    left = {name.partition('.')[0] for name in os.listdir(tmp_path / f'moved/{part}')}
    assert left == {'checkpoint', 'ckpt-12', 'ckpt-14'}


def test_the_best_that_cannot_be_read_is_refused(tmp_path):
    folder = ModelDir(str(tmp_path))
    step, manager = manager_of(folder.best)
    save(manager, step, 4)
    (tmp_path / 'best/ckpt-4.data-00000-of-00001').write_bytes(b'\xff' * 64)
    with pytest.raises(LonghaulError, match=r'best: none of 1 .*evaluate and export the latest'):
        folder.heal(say=print)


@pytest.mark.parametrize('name', ['lr[0.1]', 'a\\b', 'run*', 'run?'])
def test_a_folder_whose_name_is_a_pattern_is_refused(tmp_path, digit_records, capsys, name):
    """The first two could not be read again; the others would remove the checkpoints of run1."""
    for mode in ('train', 'export'):
        assert execute(None, tmp_path / name, mode, records=digit_records) == 2
        error = capsys.readouterr().err
        assert error.startswith(f'error: --model_dir={tmp_path / name}: ')
        assert 'pattern' in error
    assert not list(tmp_path.iterdir())
    with pytest.raises(LonghaulError, match='EXPORT='):
        ExportedModel(str(tmp_path / name))
    ModelDir(str(tmp_path / 'a[b{c,d}'))
