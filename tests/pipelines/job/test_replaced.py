"""Two jobs in one folder, where there is no lock: the older one writes nothing any more."""

import pytest
import source_data
from source_data import documents, refusal, run_job

from pipelines import output
from pipelines.job import graph, shards
from pipelines.job.mark import mark_of

FLAGS = ('--auxiliary_steps=5', '--segment_steps=8', '--validation_share=0', '--shards=1')
NEW = mark_of('b' * 16, ['train'], 1)
NAMES = ('train-00000-of-00001.tfrecord', 'train-00000-of-00001.index', 'stats.json')


@pytest.fixture
def table(tmp_path):
    rows = [*documents(), ['too', 'many', 'columns']]
    path = source_data.write_csv(tmp_path / 't.csv', rows)
    return f'--source=csv:{path}', '--max_rejected_share=0.2'


@pytest.mark.parametrize('where', ['write_shard', 'decoded', 'finish'])
def test_what_a_newer_job_has_written_stays(tmp_path, table, capsys, monkeypatch, where):
    """The newer job begins and ends when the older one begins its shard, reads, or ends."""
    out, module = tmp_path / 'out', shards if where == 'decoded' else graph
    original = getattr(module, where)

    def replaced(*arguments):
        NEW.write(str(out))
        for name in NAMES:
            (out / name).write_text('of the newer job')
        return original(*arguments)

    monkeypatch.setattr(module, where, replaced)
    message = refusal(capsys, *table, *FLAGS, f'--output={out}')
    assert message.startswith(f'--output={out}: another job has begun to write there')
    assert [(out / name).read_text() for name in NAMES] == ['of the newer job'] * 3
    assert not list(out.glob('*.partial'))
    assert list(out.glob('rejected-*')) == [] or where == 'finish'


def test_unfinished_files_have_the_name_of_their_job(tmp_path, table, monkeypatch):
    created, original = [], shards.FileSystems.create

    def create(path, *arguments, **settings):
        created.append(path.rpartition('/')[2])
        return original(path, *arguments, **settings)

    monkeypatch.setattr(shards.FileSystems, 'create', staticmethod(create))
    assert run_job(*table, *FLAGS, f'--output={tmp_path / "out"}') == 0
    named = [name.rsplit('.', 3) for name in created if not name.startswith('.')]
    assert {name for name, *_ in named} == {
        *NAMES,
        'rejected-train-00000-of-00001.jsonl',
        'records.json',
    }
    # One job; no two attempts write into one file.
    (job,) = {job for _, job, *_ in named}
    attempts = {attempt for *_, attempt, _ in named}
    assert (len(job), len(attempts)) == (16, len(named))


def test_what_a_lost_attempt_has_left_goes_when_the_job_ends(tmp_path, table, monkeypatch):
    original = graph.finish

    def finish(counts, plan, names):
        left = f'train-00000-of-00001.tfrecord.{plan.job}.{"a" * 8}.partial'
        (tmp_path / 'out' / left).write_text('half')
        return original(counts, plan, names)

    monkeypatch.setattr(graph, 'finish', finish)
    assert run_job(*table, *FLAGS, f'--output={tmp_path / "out"}') == 0
    assert not list((tmp_path / 'out').glob('*.partial'))


def test_unfinished_files_of_any_job_go(tmp_path, table):
    """Also of a job that had another number of shards, whose mark is gone."""
    names = (f'train-00003-of-00009.tfrecord.{"a" * 16}.partial', f'stats.json.{"a" * 16}.partial')
    out = source_data.write_folder(tmp_path / 'out', dict.fromkeys(names, b'unfinished'))
    assert run_job(*table, *FLAGS, f'--output={out}') == 0
    assert len(source_data.contents(out)) == 5


@pytest.mark.parametrize('remote', [True, False])
def test_an_unfinished_job_is_said_where_there_is_no_lock(
    tmp_path, table, capsys, monkeypatch, remote
):
    out = tmp_path / 'out'
    out.mkdir()
    if remote:
        monkeypatch.setattr(output, '_local', lambda _: False)
    flags = (*table, *FLAGS, f'--output={out}')
    said = f'{out}: the job {"b" * 16} has begun to write there and has not finished; '
    assert run_job(*flags) == 0
    assert said not in capsys.readouterr().err
    NEW.write(str(out))
    assert run_job(*flags, '--overwrite') == 0
    assert said not in capsys.readouterr().err
    NEW.write(str(out))
    (out / 'records.json').unlink()
    assert run_job(*flags) == 0
    assert (said in capsys.readouterr().err) == remote
