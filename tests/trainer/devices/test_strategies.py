"""Strategies by flag; a TPU that is not there is one line, at once."""

import subprocess
import sys
from pathlib import Path

import pytest
import small_data
import tensorflow as tf
import worker_runs

from trainer.devices import strategies
from trainer.devices.cluster import ClusterFlags

ROOT = Path(__file__).parents[3]


def test_one_machine():
    one_device = strategies.make_strategy(ClusterFlags('one_device'))
    assert isinstance(one_device, tf.distribute.OneDeviceStrategy)
    mirrored = strategies.make_strategy(ClusterFlags('mirrored'))
    assert isinstance(mirrored, tf.distribute.MirroredStrategy)


@pytest.mark.long
@pytest.mark.parametrize('address', ['grpc://', 'local'])
def test_a_tpu_that_is_not_there(digit_records, tmp_path, address):
    """Through the flags, in a process of its own: TensorFlow remembers that it was asked."""
    if address == 'grpc://':
        address += worker_runs.free_hosts(1)[0]
    gin_file = tmp_path / 'tiny.gin'
    gin_file.write_text('\n'.join(small_data.TINY_RUN))
    flags = [f'--gin_file={gin_file}', f'--model_dir={tmp_path}', f'--records={digit_records}']
    done = subprocess.run(
        [sys.executable, '-m', 'trainer.main', *flags]
        + ['--distribution_strategy=tpu', f'--tpu={address}'],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert f'--tpu={address}: ' in worker_runs.refusal(done.stderr)
