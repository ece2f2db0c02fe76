"""What a running job shows: on a terminal, in a log, and never at the cost of the job."""

import io
import threading
import time

import pytest
import source_data
from terminal import Terminal

from pipelines import launcher, progress
from pipelines.job.metrics import HERE
from pipelines.progress import Progress


@pytest.fixture
def quick(monkeypatch):
    """Looks every few milliseconds."""
    monkeypatch.setattr(progress, '_TERMINAL_SECONDS', 0.01)
    monkeypatch.setattr(progress, '_LOG_SECONDS', 0.01)


@pytest.fixture
def folder(tmp_path):
    """Two finished shards, one that is being written, and files that are no shards."""
    sizes = {
        'train-00000-of-00003.tfrecord': 2_000_000,
        'train-00001-of-00003.tfrecord': 1_000_000,
        'train-00002-of-00003.tfrecord.partial': 1_500_000,
        'train-00000-of-00003.index': 7_000_000,
        'train-00002-of-00003.index.partial': 7_000_000,
        'notes.txt': 7_000_000,
    }
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(bytes(size))
    return tmp_path


def made(folder, stream, **more):
    return Progress(str(folder), shards=3, stream=stream, **({'in_this_process': True} | more))


def wait_for(condition):
    deadline = time.monotonic() + 20
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found


def test_a_line_says_what_there_is(folder):
    HERE.clear()
    found = made(folder, io.StringIO())
    assert found.line() == '2 of 3 shards, 4 MB, 0 examples, 0:00'
    HERE['written'] += 41_200
    HERE['rejected'] += 3
    (folder / 'train-00002-of-00003.tfrecord.partial').rename(
        folder / 'train-00002-of-00003.tfrecord'
    )
    assert found.line() == '3 of 3 shards, 4 MB, 41,200 examples, 3 rejected, 0:00'
    # Nobody knows how many other processes have written.
    elsewhere = made(folder, io.StringIO(), in_this_process=False)
    assert elsewhere.line() == '3 of 3 shards, 4 MB, 0:00'


def test_before_the_first_shard_items_are_listed(tmp_path, monkeypatch):
    HERE.clear()
    found = made(tmp_path, io.StringIO())
    assert found.line() == 'listing, 0:00'
    HERE['listed'] += 5000
    now = time.monotonic()
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now + 125)
    assert found.line().startswith('5,000 items listed, 2:0')


def test_a_terminal_has_one_line_that_goes_away(folder, quick):
    stream = Terminal()
    with made(folder, stream):
        wait_for(lambda: stream.getvalue().count('shards') > 2)
    assert stream.getvalue().lstrip('\r').startswith('2 of 3 shards, ')
    assert stream.lines == ['']


def test_a_log_has_lines(folder, quick):
    stream = io.StringIO()
    with made(folder, stream):
        wait_for(lambda: stream.getvalue().count('\n') > 1)
    assert all(line.startswith('2 of 3 shards') for line in stream.getvalue().splitlines())


def test_a_short_job_says_nothing_in_a_log(folder):
    stream = io.StringIO()
    with made(folder, stream):
        pass
    assert stream.getvalue() == ''


@pytest.mark.parametrize('error', [KeyboardInterrupt, OSError])
def test_it_ends_with_the_job_however_that_ends(folder, quick, error):
    stream, before = Terminal(), threading.active_count()

    def job():
        """Fails when a line has been shown."""
        with made(folder, stream):
            wait_for(lambda: 'shards' in stream.getvalue())
            raise error

    with pytest.raises(error):
        job()
    assert threading.active_count() == before
    assert stream.lines == ['']


def test_it_never_breaks_a_job(tmp_path, quick):
    """Neither a folder that is not there nor a terminal that is closed."""
    with made(tmp_path / 'gone', io.StringIO()):
        time.sleep(0.1)
    stream = Terminal()
    with made(tmp_path, stream):
        wait_for(lambda: 'listing' in stream.getvalue())
        stream.close()


def test_many_items_are_noted_once(folder, quick):
    stream = io.StringIO()
    with made(folder, stream, many_items=1000):
        HERE['listed'] += 999
        wait_for(lambda: stream.getvalue().count('shards') > 1)
        assert 'note: ' not in stream.getvalue()
        HERE['listed'] += 1
        wait_for(lambda: 'note: ' in stream.getvalue())
        time.sleep(0.05)
    assert stream.getvalue().count('note: more than 1,000 items, ') == 1


def test_a_job_shows_it(tmp_path, quick, monkeypatch, capsys):
    """The whole job, slowed down while it writes its last shard."""
    from pipelines.job import graph

    original, lines = graph.write_shard, []

    def write_shard(split, shard, *rest):
        found = original(split, shard, *rest)
        if len(list((tmp_path / 'out').glob('*.tfrecord'))) == 4:
            wait_for(lambda: lines.append(capsys.readouterr().err) or '4 of 4' in lines[-1])
        return found

    monkeypatch.setattr(graph, 'write_shard', write_shard)
    table = source_data.write_csv(tmp_path / 't.csv', source_data.documents())
    flags = [f'--source=csv:{table}', f'--output={tmp_path / "out"}', '--shards=2']
    assert launcher.main([*flags, '--auxiliary_steps=5', '--segment_steps=8']) == 0
    assert ', 40 examples, ' in lines[-1]
