"""A run killed without warning goes on from its checkpoint, and ends as if nothing had happened."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from trainer.model_dir import ModelDir

ROOT = Path(__file__).parents[2]
PARAMS = (
    'ModelConfig.hidden_units=32',
    'ObjectiveConfig.supervised_bptt_steps=20',
    'ObjectiveConfig.auxiliary_bptt_steps=20',
    'ObjectiveConfig.auxiliary_steps=16',
    'RunConfig.pretrain_steps=40',
    'RunConfig.train_steps=160',
    'RunConfig.log_interval=10',
    'RunConfig.checkpoint_interval=10',
)


def start(records, model_dir):
    flags = [f'--gin_param={p}' for p in PARAMS]
    return subprocess.Popen(
        [sys.executable, '-m', 'trainer.main', '--gin_file=gin/digits/r_lstm.gin', '--mode=train']
        + [f'--records={records}', f'--model_dir={model_dir}', *flags],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )


def wait_for_step(process, model_dir, step):
    deadline = time.monotonic() + 300
    while ModelDir(str(model_dir)).latest_step() < step:
        assert process.poll() is None, 'it ended before it could be killed'
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.long
def test_killed_twice_and_started_again(digit_records, tmp_path):
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    for step in (20, 90):
        process = start(digit_records, killed)
        wait_for_step(process, killed, step)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert ModelDir(str(killed)).latest_step() < 200
    assert start(digit_records, killed).wait() == 0
    assert start(digit_records, whole).wait() == 0
    readers = [tf.train.load_checkpoint(str(d / 'checkpoints')) for d in (whole, killed)]
    names = readers[0].get_variable_to_shape_map()
    assert names.keys() == readers[1].get_variable_to_shape_map().keys()
    compared = [n for n in names if n.endswith('VALUE')]
    compared = [n for n in compared if not n.startswith(('save_counter', 'seconds'))]
    assert len(compared) > 30
    for name in compared:
        want, got = (r.get_tensor(name) for r in readers)
        np.testing.assert_array_equal(got, want, err_msg=name)
