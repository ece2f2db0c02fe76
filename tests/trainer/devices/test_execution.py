"""Which path is taken on which device, and that all paths compute the same step."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import xla_step

from pipelines.format.errors import LonghaulError
from trainer.config import (
    Config,
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
)
from trainer.devices import execution
from trainer.devices.execution import Execution
from trainer.training.task import LonghaulTask

ROOT = Path(__file__).parents[3]


def make_config(path='auto', architecture='lstm', **objective) -> Config:
    sizes = {'supervised_bptt_steps': 20, 'auxiliary_bptt_steps': 20, 'auxiliary_steps': 16}
    return Config(
        ModelConfig(architecture, hidden_units=8, embedding_units=8, head_units=8),
        ObjectiveConfig(**{**sizes, **objective}),
        DataConfig(kind='image', batch_size=8),
        OptimizerConfig(),
        RunConfig(path=path),
    )


@pytest.mark.parametrize(
    ('devices', 'path', 'want'),
    [
        ({}, 'auto', ('compiled_scan', 3, True)),
        ({'gpu': True}, 'auto', ('cudnn', 1, False)),
        ({'tpu': True}, 'auto', ('compiled_scan', 1, False)),
        ({}, 'scan', ('scan', 3, False)),
        ({'gpu': True}, 'scan', ('scan', 1, False)),
        ({'gpu': True}, 'compiled_scan', ('compiled_scan', 1, True)),
        ({'tpu': True}, 'compiled_scan', ('compiled_scan', 1, False)),
    ],
)
def test_chooses_by_device_and_by_name(devices, path, want):
    devices = {'tpu': False, 'gpu': False, **devices}
    found = execution.choose(make_config(path), cores=3, **devices)
    assert (found.path, found.parts, found.compiles) == want
    assert found.reason


@pytest.mark.parametrize('architecture', ['gru', 'transformer'])
def test_baselines_are_not_compiled(architecture):
    found = execution.choose(make_config('auto', architecture), tpu=False, gpu=False, cores=2)
    assert (found.path, found.compiles) == ('scan', False)


def test_cudnn_without_a_gpu_is_refused():
    with pytest.raises(LonghaulError, match="path='cudnn': TensorFlow sees no GPU; set .*'auto'"):
        execution.choose(make_config('cudnn'), tpu=False, gpu=False, cores=2)


def test_an_unknown_path_is_refused():
    with pytest.raises(LonghaulError, match="RunConfig.path='fast': one of"):
        RunConfig(path='fast')


def found_by(how: Execution) -> list[np.ndarray]:
    """Losses, gradients, predictions and the mean loss of one batch, all auxiliary losses used."""
    config = make_config(reconstruction_weight=1.0, prediction_weight=1.0)
    info = xla_step.make_info(config, segment_steps=20, side=8)
    inputs = xla_step.make_inputs(config, info)
    # Twice the rows, so that there is something to split.
    inputs = {key: tf.concat([v, v[::-1]], axis=0) for key, v in inputs.items()}
    task = LonghaulTask(config, info, execution=how)
    model, metrics = task.build_model(), task.build_metrics(training=False)

    @tf.function(autograph=False)
    def step(inputs):
        losses, gradients = task.gradients(inputs, model, tf.constant(3, tf.int64))
        predicted = task.validation_step(inputs, model, metrics)
        return [*tf.nest.flatten(losses), *gradients, predicted['probabilities']]

    return [x.numpy() for x in (*step(inputs), metrics[0].result())]


def check_same(got: list[np.ndarray], want: list[np.ndarray]) -> None:
    for mine, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-4, atol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize('how', [Execution(parts=2), Execution('compiled_scan', 2, True)])
def test_parts_and_compilation_change_no_gradient(how):
    check_same(found_by(how), found_by(Execution()))


PREPARE = """
import os, sys
sys.path.insert(0, 'tests/support')
sys.path.insert(0, 'tests/trainer/devices')
import numpy as np
import tensorflow as tf
import test_execution as own
from trainer.devices import execution
how = execution.prepare(own.make_config(), tpu=False)
execution.start_compiler(how)
np.savez(sys.argv[1], *own.found_by(how))
print(how)
print(os.environ['XLA_FLAGS'])
print(tf.config.threading.get_intra_op_parallelism_threads())
print(tf.config.threading.get_inter_op_parallelism_threads() == len(os.sched_getaffinity(0)))
"""


@pytest.mark.long
def test_a_process_of_its_own_computes_the_same_with_our_threads_and_flags(tmp_path):
    """As the trainer does it: XLA's older runtime; what the user has set in XLA_FLAGS stays."""
    flag, path = '--xla_cpu_enable_fast_math=false', tmp_path / 'found.npz'
    done = subprocess.run(
        [sys.executable, '-c', PREPARE, str(path)],
        cwd=ROOT,
        env=os.environ | {'XLA_FLAGS': flag},
        capture_output=True,
        text=True,
        check=True,
    )
    how, flags, *rest = done.stdout.splitlines()[-4:]
    assert how.startswith('path compiled_scan: a CPU')
    assert 'XLA' not in done.stderr, 'greetings of libraries disturb the progress line'
    assert flags.split() == [flag, *execution.XLA_FLAGS]
    assert rest == ['1', 'True']
    with np.load(path) as found:
        check_same(list(found.values()), found_by(Execution()))


def test_a_flag_of_the_user_s_is_not_replaced(monkeypatch):
    monkeypatch.setenv('XLA_FLAGS', '--xla_cpu_use_thunk_runtime=true')
    execution._set_xla_flags()
    ours = execution.XLA_FLAGS[1]
    assert os.environ['XLA_FLAGS'] == f'--xla_cpu_use_thunk_runtime=true {ours}'


def test_a_process_with_other_threads_is_not_compiled(monkeypatch):
    """XLA's older runtime knows one thread in an operation alone, and would crash."""
    monkeypatch.setattr(execution, '_set_threads', lambda cores: False)
    found = execution.prepare(make_config(), tpu=False)
    assert (found.path, found.compiles) == ('scan', False)
    assert 'before its threads could be set' in str(found)


def test_a_batch_that_does_not_divide_is_split_as_far_as_it_goes():
    config = make_config()
    info = xla_step.make_info(config, segment_steps=20, side=8)
    task = LonghaulTask(config, info, execution=Execution(parts=4))
    for rows, want in ((8, 4), (6, 2), (5, 1)):
        parts = task.parts({'labels': tf.zeros([rows])})
        assert [p['labels'].shape[0] for p in parts] == [rows // want] * want
