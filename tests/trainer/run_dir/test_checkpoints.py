"""A disk that is full, or a file that may not grow, while a checkpoint is written."""

import os
import resource
import signal

import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute, variables

from pipelines.format.errors import LonghaulError
from trainer.run_dir.checkpoints import CheckpointManager
from trainer.run_dir.folder import ModelDir
from trainer.training import phase_actions


@pytest.fixture
def full_disk():
    """No file of this process may grow beyond 20 kB, while it is called with True."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(full):
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000 if full else before[0], before[1]))

    yield fill
    fill(False)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_survived_and_the_last_checkpoint_stays(tmp_path, full_disk):
    said, step = [], tf.Variable(0, dtype=tf.int64)
    weights = tf.Variable(tf.random.stateless_normal([100, 100], [1, 2]))
    manager = CheckpointManager(
        tf.train.Checkpoint(weights=weights, step=step),
        say=said.append,
        directory=str(tmp_path),
        max_to_keep=2,
        step_counter=step,
        checkpoint_interval=10,
    )
    step.assign(10)
    first = manager.save(checkpoint_number=step)
    step.assign(20)
    full_disk(True)
    assert manager.save(checkpoint_number=step) is None
    assert len(said) == 1
    assert f'{tmp_path}: the checkpoint of step 20 could not be written' in said[0]
    assert 'training goes on' in said[0]
    assert tf.train.latest_checkpoint(str(tmp_path)) == first
    assert not [name for name in os.listdir(tmp_path) if name.startswith('ckpt-20')]
    with pytest.raises(LonghaulError, match='step 20.*make room'):
        manager.save(checkpoint_number=step, check_interval=False)
    full_disk(False)
    # At the same step, as at the end of a run.
    assert manager.save(checkpoint_number=step, check_interval=False).endswith('ckpt-20')
    assert tf.train.load_variable(
        tf.train.latest_checkpoint(str(tmp_path)), 'weights/.ATTRIBUTES/VARIABLE_VALUE'
    ) == pytest.approx(weights.numpy())


PARAMS = [
    *small_data.TINY_RUN,
    # Large enough that a checkpoint does not fit into what is left.
    'ModelConfig.hidden_units=16',
    'RunConfig.train_steps=12',
    'RunConfig.log_interval=2',
    'RunConfig.checkpoint_interval=2',
]


def fill_between(monkeypatch, fill, first, last):
    """The disk is full while the global step is in first..last."""
    line = phase_actions.ProgressLine.__call__

    def call(self, logs):
        line(self, logs)
        fill(first <= int(self._step.numpy()) <= last)

    monkeypatch.setattr(phase_actions.ProgressLine, '__call__', call)


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


@pytest.mark.long
def test_a_run_outlives_a_disk_that_was_full(
    gin_file, digit_records, tmp_path, monkeypatch, full_disk, capsys
):
    run, whole = tmp_path / 'run', tmp_path / 'whole'
    assert execute(gin_file, whole, 'train', records=digit_records) == 0
    capsys.readouterr()
    with monkeypatch.context() as patch:
        fill_between(patch, full_disk, 4, 8)
        assert execute(gin_file, run, 'train', records=digit_records) == 0
    said = [x for x in capsys.readouterr().err.splitlines() if 'could not be written' in x]
    assert len(said) == 3
    assert ModelDir(str(run)).latest_step() == 12
    for name, value in variables(whole).items():
        np.testing.assert_array_equal(variables(run)[name], value, err_msg=name)


@pytest.mark.long
def test_a_run_whose_end_cannot_be_saved_says_so_and_goes_on_later(
    gin_file, digit_records, tmp_path, monkeypatch, full_disk, capsys
):
    with monkeypatch.context() as patch:
        fill_between(patch, full_disk, 8, 99)
        assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 2
    full_disk(False)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ')
    assert 'step 12 could not be written' in error
    assert 'ckpt-6' in error
    assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 0
    assert ModelDir(str(tmp_path / 'run')).latest_step() == 12
