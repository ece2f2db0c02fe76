"""The queue at work: finished runs, failures, kills; with a stand-in, and with the trainer."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_trainer
import pytest
import small_data

from tools.reproduce import lines, runner
from tools.reproduce.plan import Plan

ROOT = Path(__file__).parents[3]
WRAPPER = """
import sys
sys.path.insert(0, {root!r})
from tools.reproduce import __main__, plan, runner
real = plan.Plan.command
plan.Plan.command = lambda *a, **k: [sys.executable, {fake!r}, *real(*a, **k)[3:]]
runner._POLL_SECONDS = 0.05
sys.exit(__main__.main())
"""


@pytest.fixture
def place(tmp_path):
    """A gin file of 100 epochs, records of 10 steps an epoch (described, not there), a queue."""
    (tmp_path / 'records' / 'some').mkdir(parents=True)
    described = {'counts': {'splits': {'train': 40}}}
    (tmp_path / 'records' / 'some' / 'records.json').write_text(json.dumps(described))
    (tmp_path / 'tiny.gin').write_text(
        'SEED = 0\nRunConfig.seed = %SEED\nRunConfig.train_steps = 1000\nDataConfig.batch_size = 4'
    )
    line = f'{tmp_path}/tiny.gin --records=some --budget=3epochs --seeds=0,1\n'
    (tmp_path / 'some.queue').write_text(line)
    return tmp_path


def command(place, *flags):
    code = WRAPPER.format(root=str(ROOT), fake=fake_trainer.__file__)
    names = {'records': 'records', 'work': 'work', 'results': 'results'}
    places = [f'--{name}={place / folder}' for name, folder in names.items()]
    return [sys.executable, '-c', code, 'run', str(place / 'some.queue'), *places, *flags]


def call(place, *flags, **environment):
    done = subprocess.run(
        command(place, *flags),
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stderr


def found(place):
    return lines.read(place / 'results' / 'some.jsonl')


def test_a_queue_is_worked_off_once(place):
    code, said = call(place)
    assert code == 0, said
    assert [(x['kind'], x['seed'], x['epochs']) for x in found(place)] == [
        *((('epoch', 0, e) if e < 4 else ('run', 0, 3)) for e in (1, 2, 3, 4)),
        *((('epoch', 1, e) if e < 4 else ('run', 1, 3)) for e in (1, 2, 3, 4)),
    ]
    keys = 'gin_file params commit seed epochs seconds finished validation_accuracy test_accuracy'
    for line in found(place):
        assert line.keys() >= {*keys.split(), 'test_interval'}
        assert line['asked_epochs'] == 100
        assert 'RunConfig.train_steps=30' in line['params']
        assert 'RunConfig.eval_interval=10' in line['params']
    before = (place / 'results' / 'some.jsonl').read_bytes()
    assert call(place)[0] == 0
    assert (place / 'results' / 'some.jsonl').read_bytes() == before


def test_a_budget_on_the_command_line_takes_the_place_of_the_lines_own(place):
    assert call(place, '--budget=2epochs')[0] == 0
    assert [x['epochs'] for x in found(place) if x['kind'] == 'run'] == [2, 2]
    code, said = call(place, '--budget=2')
    assert (code, '--budget=2: an amount of epochs or minutes' in said) == (1, True)


def test_a_run_that_fails_has_a_line_and_is_tried_again(place):
    assert call(place)[0] == 0
    (place / 'results' / 'some.jsonl').unlink()
    runs = sorted((place / 'work').glob('tiny-*'))
    (runs[0] / 'FAIL').touch()
    code, said = call(place)
    assert code == 1
    assert '1 runs failed' in said
    ends = [x for x in found(place) if x['kind'] == 'run']
    assert sorted(x['finished'] for x in ends) == [False, True]
    assert [x['error'] for x in ends if not x['finished']] == [
        'exit code 1: error: the disk is full'
    ]
    (runs[0] / 'FAIL').unlink()
    assert call(place)[0] == 0
    assert lines.outcome(found(place), runs[0].name.split('-')[1])['finished']


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL])
def test_a_killed_queue_goes_on_where_it_was(place, number):
    queue = subprocess.Popen(
        command(place), stderr=subprocess.PIPE, env={**os.environ, 'TICK': '0.7'}
    )
    wait_for(lambda: len(found(place)) >= 1)
    queue.send_signal(number)
    queue.wait(timeout=30)
    if number == signal.SIGTERM:
        assert queue.returncode == 130
        assert b'the same command goes on' in queue.stderr.read()
    else:
        # The trainer that it left holds the folder until it ends.
        code, said = call(place)
        assert code == 1
        assert f'--work={place / "work"}: process {queue.pid} on ' in said
        assert 'or its trainer is at work there; wait for it' in said
        wait_for(lambda: list((place / 'work').glob('tiny-*/model/result.json')))
        time.sleep(0.2)
    assert call(place)[0] == 0
    epochs = [(x['seed'], x['step']) for x in found(place) if x['kind'] == 'epoch']
    assert epochs == [(seed, step) for seed in (0, 1) for step in (10, 20, 30)]
    assert [x['finished'] for x in found(place) if x['kind'] == 'run'] == [True, True]


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('missing.gin --records=some', 'missing.gin'),
        ('{place}/tiny.gin --records=none', 'python -m pipelines.main --output='),
        ('{place}/tiny.gin --records=some RunConfig.sed=1', 'RunConfig.seed'),
    ],
)
def test_a_wrong_queue_is_refused_before_anything_starts(place, line, words):
    first = (place / 'some.queue').read_text()
    (place / 'some.queue').write_text(first + line.format(place=place) + '\n')
    code, said = call(place)
    assert code == 1
    assert said.startswith('error: ')
    assert words in said
    assert said.count('\n') == 1
    assert not (place / 'results').exists()


def test_minutes_become_steps_once(place, monkeypatch):
    """Measured when a run begins, and kept: what goes on later is the same run."""
    (place / 'some.queue').write_text(f'{place}/tiny.gin --records=some --budget=1minute\n')
    monkeypatch.setattr(
        Plan, 'command', lambda *_: [sys.executable, '-c', 'raise SystemExit("error: no")']
    )
    monkeypatch.setattr(runner.Runner, '_measure', lambda *_: runner.Rates(pretrain=1.0, train=0.5))
    places = {name: place / name for name in ('records', 'work', 'results')}
    assert runner.work_off_queues([place / 'some.queue'], budget=None, **places) == 1
    monkeypatch.setattr(runner.Runner, '_measure', lambda *_: runner.Rates(pretrain=1.0, train=0.1))
    assert runner.work_off_queues([place / 'some.queue'], budget=None, **places) == 1
    params = [x['params'] for x in found(place)]
    assert params[0] == params[1]
    assert 'RunConfig.train_steps=30' in params[0]


@pytest.mark.long
def test_the_real_trainer_in_minutes(digit_records, tmp_path):
    """Through the command as typed: probed, trained, validated, evaluated."""
    (tmp_path / 'tiny.gin').write_text(
        '\n'.join([*small_data.TINY_RUN, 'RunConfig.pretrain_steps=24', 'RunConfig.train_steps=26'])
    )
    queue = tmp_path / 'digits.queue'
    queue.write_text(f'{tmp_path}/tiny.gin --budget=60minutes --records=records\n')
    done = subprocess.run(
        [
            *(sys.executable, '-m', 'tools.reproduce', 'run', str(queue)),
            f'--records={Path(digit_records).parent}',
            f'--work={tmp_path / "work"}',
            f'--results={tmp_path}',
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    found = lines.read(tmp_path / 'digits.jsonl')
    assert [x['kind'] for x in found[-2:]] == ['epoch', 'run']
    last = found[-1]
    assert (last['finished'], last['steps'], last['budget']) == (True, 50, '60minutes')
    assert 0 <= last['validation_accuracy'] <= 1
    assert last['test_interval'][0] <= last['test_accuracy'] <= last['test_interval'][1]
    phases = [(x['phase'], x['step'], x['validation_accuracy'] is None) for x in found[:-1]]
    assert phases[0][0] == 'pretrain'
    assert all(none == (phase == 'pretrain') for phase, _, none in phases)
    assert phases[-1][:2] == ('joint', 50)
