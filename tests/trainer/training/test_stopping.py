"""SIGTERM saves and leaves, in training and in evaluation, under every strategy."""

import os
import signal

import numpy as np
import pytest
import small_data
from whole_runs import execute, variables

from trainer import bindings
from trainer.run_dir.checkpoints import CheckpointManager
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.validations import LogValidation
from trainer.training import loop
from trainer.training.run import Run
from trainer.training.stopping import Stopped, StopRequest, listening

PARAMS = [
    *small_data.TINY_RUN,
    'RunConfig.train_steps=12',
    'RunConfig.log_interval=4',
    'RunConfig.checkpoint_interval=8',
    'RunConfig.eval_interval=6',
]


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


@pytest.fixture(scope='module')
def whole(digit_records, tmp_path_factory):
    folder = tmp_path_factory.mktemp('whole')
    (folder / 'tiny.gin').write_text('\n'.join(PARAMS) + '\n')
    mode = 'train_and_eval'
    assert execute(str(folder / 'tiny.gin'), folder / 'run', mode, records=digit_records) == 0
    return variables(folder / 'run')


def signal_in(monkeypatch, owner, name, *, call, number=signal.SIGTERM):
    """Sends this process a signal within the call number `call` of a method."""
    inner, calls = getattr(owner, name), []

    def method(self, *args):
        calls.append(0)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return inner(self, *args)

    monkeypatch.setattr(owner, name, method)


@pytest.mark.parametrize(
    ('owner', 'name', 'call', 'saved', 'number'),
    [
        (loop.PhaseTrainer, '_take', 1, 1, signal.SIGTERM),
        pytest.param(loop.PhaseTrainer, '_take', 2, 5, signal.SIGINT, marks=pytest.mark.long),
        pytest.param(
            loop.SplitEvaluator, 'eval_step', 3, 6, signal.SIGTERM, marks=pytest.mark.long
        ),
        pytest.param(loop.SplitEvaluator, 'eval_end', 1, 6, signal.SIGTERM, marks=pytest.mark.long),
        # In the last validation, and after it: what is left is to evaluate.
        pytest.param(
            loop.SplitEvaluator, 'eval_end', 2, 12, signal.SIGTERM, marks=pytest.mark.long
        ),
        pytest.param(LogValidation, '__call__', 2, 12, signal.SIGTERM, marks=pytest.mark.long),
        pytest.param(CheckpointManager, '_sweep', 2, 12, signal.SIGTERM, marks=pytest.mark.long),
    ],
)
def test_what_was_done_is_saved_and_gone_on_with(
    whole, gin_file, digit_records, tmp_path, monkeypatch, capsys, owner, name, call, saved, number
):
    command = (gin_file, tmp_path / 'run', 'train_and_eval')
    with monkeypatch.context() as patch:
        signal_in(patch, owner, name, call=call, number=number)
        assert execute(*command, records=digit_records) == 128 + number
    line = f'stopped; the same command goes on from step {saved}, which is saved'
    assert capsys.readouterr().err.strip().splitlines()[-1] == line
    assert ModelDir(str(tmp_path / 'run')).latest_step() == saved
    assert execute(*command, records=digit_records) == 0
    found = variables(tmp_path / 'run')
    for name, value in whole.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_before_the_first_step_it_leaves_at_once(
    gin_file, digit_records, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(
        Run, '_prepare', lambda self, **_: os.kill(os.getpid(), signal.SIGTERM) or 1 / 0
    )
    assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 143
    assert 'from the last checkpoint, if there is one' in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize('name', ['one', 'two'])
def test_under_every_strategy(name, strategies, digit_records, tmp_path, monkeypatch):
    config = bindings.load(gin_files=[], gin_params=PARAMS, records=digit_records)
    signal_in(monkeypatch, loop.PhaseTrainer, '_take', call=2)
    with listening() as stop:
        run = Run(config, str(tmp_path), strategy=strategies[name], stop=stop)
        with pytest.raises(Stopped) as stopped:
            run.train(operative_config='', validate=False)
    assert stopped.value.saved == ModelDir(str(tmp_path)).latest_step() == 5


def test_a_second_signal_saves_nothing(gin_file, digit_records, tmp_path, monkeypatch, capsys):
    """While the first one waits for the step at hand."""
    take = loop.PhaseTrainer._take

    def twice(self, count):
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
        return take(self, count)

    monkeypatch.setattr(loop.PhaseTrainer, '_take', twice)
    assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 143
    assert 'from the last checkpoint, if there is one' in capsys.readouterr().err
    assert ModelDir(str(tmp_path / 'run')).latest_step() == 0


def test_a_second_signal_waits_for_nothing():
    request = StopRequest()
    with request.awaited():
        request.receive(signal.SIGTERM)
        with pytest.raises(Stopped):
            request.receive(signal.SIGINT)
