"""A disk that is full, or a file that may not grow, while a checkpoint is written."""

import os
import resource
import signal

import pytest
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.saving import CheckpointManager


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
