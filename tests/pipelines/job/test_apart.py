"""Shards of documents that forked processes write: the same bytes and counts, and their errors."""

import os
import signal
import time

import pytest
import source_data
from source_data import refusal, run_job

from pipelines import workers
from pipelines.format.errors import LonghaulError
from pipelines.job import apart, graph, metrics
from pipelines.job.plan import make_plan
from pipelines.options import JobOptions

FLAGS = ('--auxiliary_steps=5', '--segment_steps=8', '--shards=3', '--max_rejected_share=0.2')


@pytest.fixture
def source(tmp_path):
    rows = [*source_data.documents(), ['too', 'many', 'columns']]
    return f'--source=csv:{source_data.write_csv(tmp_path / "t.csv", rows)}'


@pytest.fixture
def forks(monkeypatch):
    """Lets any shard be worth a process; the list of the processes that were started."""
    monkeypatch.setattr(graph, '_WORTH_A_PROCESS', 1)
    monkeypatch.setattr(workers, 'threads_each', lambda _: 2)
    started, fork = [], os.fork

    def watched():
        child = fork()
        if child:
            started.append(child)
        return child

    monkeypatch.setattr(os, 'fork', watched)
    return started


def counted():
    """What this process shows on the progress line, and more."""
    return {name: number for name, number in metrics.HERE.items() if number}


def test_same_bytes_and_counts(source, tmp_path, forks, monkeypatch):
    assert run_job(source, f'--output={tmp_path / "apart"}', *FLAGS) == 0
    found, started = counted(), len(forks)
    # The shards that are not empty.
    assert started >= 3
    assert found['rejected'] == 1
    monkeypatch.setattr(apart, 'possible', lambda _: False)
    assert run_job(source, f'--output={tmp_path / "here"}', *FLAGS) == 0
    assert len(forks) == started
    assert counted() == found
    written = (source_data.contents(tmp_path / name) for name in ('apart', 'here'))
    assert next(written) == next(written)


def test_a_refusal_comes_back(source, tmp_path, forks, monkeypatch, capsys):
    def refuse(*_):
        raise LonghaulError(f'--source: process {os.getpid()} refuses')

    monkeypatch.setattr(graph, 'write_shard', refuse)
    text = refusal(capsys, source, f'--output={tmp_path / "out"}', *FLAGS)
    (child,) = (int(word) for word in text.split() if word.isdecimal())
    assert child in forks
    for process in forks:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)


def test_a_process_that_is_killed_ends_the_job(source, tmp_path, forks, monkeypatch, capsys):
    monkeypatch.setattr(graph, 'write_shard', lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    text = refusal(capsys, source, f'--output={tmp_path / "out"}', *FLAGS)
    assert 'a process that wrote a shard has died (signal 9); run the same command again' in text
    assert not (tmp_path / 'out' / 'records.json').exists()


def test_an_error_that_is_no_refusal_keeps_its_text(source, forks):
    processes = apart.Processes(make_plan(JobOptions(source.partition('=')[2], '/nowhere')), 2)
    with pytest.raises(RuntimeError, match='ZeroDivisionError: division by zero'):
        [*processes.start(lambda: 1 / 0), *processes.results()]


def test_no_process_outlives_the_job(source):
    plan = make_plan(JobOptions(source.partition('=')[2], '/nowhere'))
    told, tell = os.pipe()

    def work():
        os.write(tell, f'{os.getpid()}\n'.encode())
        time.sleep(60)

    job = os.fork()
    if not job:
        list(apart.Processes(plan, 2).start(work))
        time.sleep(60)
    child = int(os.read(told, 20))
    os.kill(job, signal.SIGKILL)
    os.waitpid(job, 0)
    deadline = time.monotonic() + 20
    while _lives(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _lives(process):
    try:
        with open(f'/proc/{process}/stat') as file:
            # What nobody has waited for is a zombie.
            return file.read().rpartition(')')[2].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ('flags', 'possible'),
    [
        ({}, True),
        ({'output': 'gs://bucket/out'}, False),
        ({'tokens': 'characters'}, False),
        ({'source': 'builtin:digits'}, False),
    ],
)
def test_when_a_process_forks(source, flags, possible):
    options = {'source': source.partition('=')[2], 'output': '/nowhere', 'auxiliary_steps': 5}
    assert apart.possible(make_plan(JobOptions(**(options | flags)))) is possible
