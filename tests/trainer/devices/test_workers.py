"""Two workers on loopback train, evaluate and resume as one device and two replicas do.

Each worker is a process started through the command; one device and two mirrored replicas run in
this process.
"""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import small_data
import tensorflow as tf
import worker_runs

from trainer import bindings, commands
from trainer.commands import Command
from trainer.devices import workers
from trainer.run_dir import worker_folder
from trainer.run_dir.folder import ModelDir
from trainer.training.run import Run

# Small enough that clipping acts on every step; DropConnect is on by default.
PARAMS = [*small_data.TINY_RUN, 'OptimizerConfig.global_clipnorm=0.05']
MODES = {
    'plain': ['ObjectiveConfig.reconstruction_weight=0.0'],
    'r': [],
    'p': ['ObjectiveConfig.reconstruction_weight=0.0', 'ObjectiveConfig.prediction_weight=1.0'],
    'rp': ['ObjectiveConfig.prediction_weight=1.0', 'RunConfig.pretrain_steps=5'],
}
# A fiftieth of one step's learning rate: RMSProp magnifies rounding.
TOLERANCE = 2e-5
# From a worker's death to the others' last line.
SECONDS_TO_NOTICE = 60


@pytest.fixture(autouse=True)
def _copies_in_tmp_path(tmp_path, monkeypatch):
    """A killed worker leaves its copy of the model_dir behind."""
    monkeypatch.setenv('TMPDIR', str(tmp_path))


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


def steps(mode: str, total: int) -> list[str]:
    """Bindings of a mode; its auxiliary phase, if it has one, counts into the total."""
    pretrain = 5 if 'RunConfig.pretrain_steps=5' in MODES[mode] else 0
    return [*MODES[mode], f'RunConfig.train_steps={total - pretrain}']


def flags(gin_file, records, model_dir, params, command='train') -> list[str]:
    named = {'gin_file': gin_file, 'records': records, 'model_dir': model_dir, 'mode': command}
    return [f'--{k}={v}' for k, v in named.items()] + [f'--gin_param={p}' for p in params]


def with_two_workers(gin_file, records, model_dir, params, command='train') -> str:
    """What the chief prints; the other worker prints nothing."""
    found = worker_runs.run_two(*flags(gin_file, records, model_dir, params, command))
    assert [code for code, _, _ in found] == [0, 0], found
    (_, out, err), (_, other_out, other_err) = found
    assert 'steps/s' in err or command == 'eval'
    assert not other_out
    assert 'steps/s' not in other_err
    return out


def with_one_device(gin_file, records, model_dir, params, command='train') -> None:
    files, where = [gin_file], str(model_dir)
    assert commands.execute(Command(command, where, files, list(params), records)) == 0


def with_strategy(strategy, gin_file, records, model_dir, params) -> None:
    settings = bindings.load(gin_files=[gin_file], gin_params=params, records=records)
    run = Run(settings, str(model_dir), strategy=strategy)
    run.train(operative_config='', validate=False)


def variables(model_dir) -> dict[str, np.ndarray]:
    """All that a checkpoint holds but the time that it took."""
    reader = tf.train.load_checkpoint(ModelDir(str(model_dir)).checkpoints)
    names = [n for n in reader.get_variable_to_shape_map() if n.endswith('VALUE')]
    names = [n for n in names if not n.startswith(('seconds', 'save_counter'))]
    return {n: reader.get_tensor(n) for n in names}


def assert_same_training(model_dir, expected_dir) -> None:
    want, got = variables(expected_dir), variables(model_dir)
    assert want.keys() == got.keys()
    assert len([n for n in want if n.startswith('model/')]) >= 10
    for name, value in want.items():
        np.testing.assert_allclose(got[name], value, atol=TOLERANCE, err_msg=name)


def assert_same_predictions(model_dir: Path, expected_dir: Path, split: str) -> None:
    """Every example once, and the same said of it."""
    name = f'predictions-{split}.jsonl'
    rows, want = (
        [json.loads(line) for line in (d / name).read_text().splitlines()]
        for d in (model_dir, expected_dir)
    )
    assert [r['id'] for r in rows] == [r['id'] for r in want]
    for row, expected in zip(rows, want, strict=True):
        assert row.pop('probability') == pytest.approx(expected.pop('probability'), abs=1e-4)
        # Classes that are nearly as probable may change places behind the first.
        top, wanted = ([p for _, p in r.pop('top')] for r in (row, expected))
        assert top == pytest.approx(wanted, abs=1e-4)
        assert row == expected


def assert_same_evaluation(model_dir: Path, expected_dir: Path, split: str) -> None:
    found, want = (
        json.loads((d / f'evaluation-{split}.json').read_text()) for d in (model_dir, expected_dir)
    )
    assert found.keys() == want.keys()
    # A worker probes the states of the sequences that it has read itself.
    for name in want.keys() - {'memory_curve', 'memory'}:
        value = want[name]
        same = value if isinstance(value, str) else pytest.approx(value, rel=1e-4)
        assert found[name] == same, name


@pytest.mark.long
def test_two_workers_train_and_evaluate_as_one_device_does(gin_file, digit_records, tmp_path):
    """Both auxiliary losses, validation, the best weights, the test split."""
    params = ['ObjectiveConfig.prediction_weight=1.0', 'RunConfig.train_steps=4']
    two, one = tmp_path / 'two', tmp_path / 'one'
    out = with_two_workers(gin_file, digit_records, two, params, 'train_and_eval')
    assert json.loads(out)['steps'] == 4
    with_one_device(gin_file, digit_records, one, params, 'train_and_eval')
    assert_same_training(two, one)
    for split in ('validation', 'test'):
        assert_same_predictions(two, one, split)
        assert_same_evaluation(two, one, split)
    # One writer: as many logs as one device writes, and nothing left of how workers met.
    assert {p.name for p in two.iterdir()} == {p.name for p in one.iterdir()}
    for folder in ('train', 'validation'):
        assert len(list((two / folder).iterdir())) == len(list((one / folder).iterdir()))
    assert not list(tmp_path.glob('longhaul-worker-*')), 'a worker has left its copy behind'


@pytest.mark.long
@pytest.mark.parametrize('mode', MODES)
def test_two_workers_and_two_replicas_train_as_one_device_does(
    strategies, gin_file, digit_records, tmp_path, mode
):
    params = steps(mode, 20)
    for name, strategy in strategies.items():
        with_strategy(strategy, gin_file, digit_records, tmp_path / name, params)
    with_two_workers(gin_file, digit_records, tmp_path / 'workers', params)
    assert_same_training(tmp_path / 'two', tmp_path / 'one')
    assert_same_training(tmp_path / 'workers', tmp_path / 'one')


@pytest.mark.long
def test_documents_with_two_workers(gin_file, text_records, tmp_path):
    """Batches of several shapes: the same shape on both workers in every step."""
    for name, train in (('one', with_one_device), ('two', with_two_workers)):
        for command in ('train', 'eval'):
            train(gin_file, text_records, tmp_path / name, steps('r', 6), command)
    assert_same_training(tmp_path / 'two', tmp_path / 'one')
    assert_same_predictions(tmp_path / 'two', tmp_path / 'one', 'test')


@pytest.mark.long
@pytest.mark.parametrize('first_two', [True, False])
def test_a_run_goes_on_with_another_number_of_workers(gin_file, digit_records, tmp_path, first_two):
    """Stopped within the second phase; judged against a run of one device that never stopped."""
    ways = [with_two_workers, with_one_device]
    first, second = ways if first_two else reversed(ways)
    first(gin_file, digit_records, tmp_path / 'run', steps('rp', 8))
    assert ModelDir(str(tmp_path / 'run')).latest_step() == 8
    second(gin_file, digit_records, tmp_path / 'run', steps('rp', 20))
    with_one_device(gin_file, digit_records, tmp_path / 'whole', steps('rp', 20))
    assert_same_training(tmp_path / 'run', tmp_path / 'whole')


def train_until_ten_steps_on(command, run) -> list:
    """Two workers at work, ten steps and more beyond where the run stood."""
    hosts, begun = worker_runs.free_hosts(2), ModelDir(str(run)).latest_step()
    both = [worker_runs.start(*command, hosts=hosts, index=i) for i in range(2)]
    deadline = time.monotonic() + worker_runs.SECONDS
    while ModelDir(str(run)).latest_step() < begun + 10:
        assert both[0].poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return both


@pytest.mark.long
def test_a_lost_worker_ends_the_others_and_all_go_on(gin_file, digit_records, tmp_path):
    """One killed: the other says so within SECONDS_TO_NOTICE. One asked to stop: both save."""
    params = [*steps('rp', 300), 'RunConfig.log_interval=5', 'RunConfig.checkpoint_interval=5']
    run, whole = tmp_path / 'run', tmp_path / 'whole'
    command = flags(gin_file, digit_records, run, params)
    for lost in (1, 0):
        both = train_until_ten_steps_on(command, run)
        os.kill(both[lost].pid, signal.SIGKILL)
        killed = time.monotonic()
        assert both[lost].wait() == -signal.SIGKILL
        code, _, error = worker_runs.finish(both[1 - lost])
        assert time.monotonic() - killed < SECONDS_TO_NOTICE
        assert code == 2
        assert 'another worker has stopped' in worker_runs.refusal(error)
    for asked in (1, 0):
        both = train_until_ten_steps_on(command, run)
        os.kill(both[asked].pid, signal.SIGTERM)
        found = [worker_runs.finish(process) for process in both]
        step = ModelDir(str(run)).latest_step()
        for code, _, error in found:
            assert code == 128 + signal.SIGTERM, error
            assert f'goes on from step {step}, which is saved' in error
    with_two_workers(gin_file, digit_records, run, params)
    with_two_workers(gin_file, digit_records, whole, params)
    assert variables(run).keys() == variables(whole).keys()
    for name, value in variables(whole).items():
        np.testing.assert_array_equal(variables(run)[name], value, err_msg=name)


@pytest.mark.long
def test_workers_of_different_runs_are_refused(gin_file, digit_records, tmp_path):
    command = flags(gin_file, digit_records, tmp_path / 'run', ['RunConfig.train_steps=4'])
    cases = {
        ('--gin_param=RunConfig.seed=1',): 'configuration: ',
        ('--mode=train_and_eval',): '--mode: train on worker 0, train_and_eval on worker 1',
        (f'--model_dir={tmp_path / "other"}',): 'worker 1 does not see what worker 0 writes there',
    }
    for other, words in cases.items():
        for code, _, error in worker_runs.run_two(*command, other=other):
            assert code == 2, error
            assert words in worker_runs.refusal(error)


@pytest.mark.long
def test_a_batch_that_the_workers_cannot_share_is_refused(gin_file, digit_records, tmp_path):
    command = flags(gin_file, digit_records, tmp_path / 'run', ['DataConfig.batch_size=15'])
    for code, _, error in worker_runs.run_two(*command):
        assert code == 2, error
        assert 'DataConfig.batch_size=15: not a multiple of the 2 replicas' in error


def test_one_process_is_its_own_chief_and_agrees_with_itself(tmp_path):
    strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
    assert workers.count(strategy) == 1
    assert workers.is_chief(strategy)
    workers.agree(strategy, {'anything': 'at all'})
    values = np.arange(3)
    assert workers.gather(strategy, values) is values
    with worker_folder.joined(strategy, str(tmp_path / 'run'), create=True) as folder:
        assert folder == str(tmp_path / 'run')
    assert not list(tmp_path.iterdir())


def test_a_worker_copies_what_a_run_reads_of_its_folder(tmp_path):
    run, copy = tmp_path / 'run', tmp_path / 'copy'
    wanted = ['data.json', 'operative.gin', 'checkpoints/checkpoint', 'best/ckpt-3.index']
    others = ['train/events.1', 'export/3/saved_model.pb', 'predictions-test.jsonl']
    for name in [*wanted, *others]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text(name)
    ModelDir(str(run)).copy_state(str(copy))
    found = {p.relative_to(copy).as_posix(): p for p in copy.rglob('*') if p.is_file()}
    assert found.keys() == set(wanted)
    assert all(path.read_text() == name for name, path in found.items())
