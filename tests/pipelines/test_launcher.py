"""A run from its flags to its end: the output folder, rejected items, limits and failures."""

import json
import os
import re
import shutil

import image_data
import numpy as np
import pytest
import source_data
from source_data import IMAGE_FLAGS, documents, encode_image, pixels, refusal, run_job

from pipelines import launcher, output
from pipelines.format import anchors, records
from pipelines.format.errors import LonghaulError
from pipelines.job import graph
from pipelines.job.mark import mark_of, read

TEXT_FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')


@pytest.fixture
def table(tmp_path):
    return f'--source=csv:{source_data.write_csv(tmp_path / "t.csv", documents())}'


def job(output, *flags):
    assert run_job(*flags, f'--output={output}') == 0
    return output


def test_the_output_in_full(tmp_path, table, capsys):
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--shards=2')
    shards = [f'{s}-0000{i}-of-00002' for s in ('train', 'validation') for i in (0, 1)]
    files = {f'{s}.{x}' for s in shards for x in ('tfrecord', 'index')}
    assert set(source_data.contents(out)) == files | {'records.json', 'stats.json'}
    printed = capsys.readouterr().out
    assert printed.startswith('2 classes, of different length, segments of 8, in ')
    assert printed.endswith(f'records: {out}\n')


def test_records_json_agrees_with_the_records(tmp_path, table):
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--anchor_sets=3', '--anchors_per_sequence=2')
    described = source_data.description(out)
    for split in ('train', 'validation'):
        found = source_data.examples(out, split)
        assert described['counts']['splits'][split] == len(found)
        assert described['counts']['steps'][split] == sum(e.length for e in found)
        classes = {n: sum(e.label == i for e in found) for i, n in enumerate(['rain', 'sun'])}
        assert described['counts']['classes'][split] == classes
        lengths = {}
        for e in found:
            bound = next(2**p for p in range(99) if e.length <= 2**p)
            lengths[str(bound)] = lengths.get(str(bound), 0) + 1
        assert described['lengths'][split] == lengths
        assert {len(e.r_anchors) for e in found} == {6}
    assert described['class_names'] == ['rain', 'sun']
    assert (described['anchor_sets'], described['anchors_per_sequence']) == (3, 2)
    assert records.read_info(str(out)).segment_steps == 8


def test_an_example_ends_in_the_order_of_the_hash_of_its_id(tmp_path, table):
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--validation_share=0')
    ids = [e.id for e in source_data.examples(out)]
    assert ids == sorted((f'train/{i:06}' for i in range(40)), key=anchors.id_hash)


def test_shards_divide_the_same_examples(tmp_path, table):
    one = job(tmp_path / 'one', table, *TEXT_FLAGS)
    three = job(tmp_path / 'three', table, *TEXT_FLAGS, '--shards=3')
    assert source_data.by_id(one) == source_data.by_id(three)
    sizes = [s['examples'] for s in source_data.description(three)['shards']['train']]
    assert len(sizes) == 3
    assert sum(sizes) == source_data.description(one)['counts']['splits']['train']
    assert max(sizes) < 30


def test_more_shards_than_examples(tmp_path, table):
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--shards=60')
    assert len(source_data.by_id(out)) == 40
    assert len(list(out.glob('*.tfrecord'))) == 120


def bad_pictures(tmp_path):
    """24 good pictures, 4 bad ones."""
    files = source_data.picture_files() | {
        'cat/empty.png': b'',
        'cat/cut.png': encode_image(pixels(0))[:50],
        'dog/large.png': image_data.sized_png(1 << 15, 1 << 14),
        'dog/webp.png': encode_image(pixels(2), 'WEBP'),
    }
    return f'--source=images:{source_data.write_folder(tmp_path / "in", files)}'


def test_unreadable_items_are_named_and_counted(tmp_path):
    source = bad_pictures(tmp_path)
    out = job(tmp_path / 'out', source, *IMAGE_FLAGS, '--max_rejected_share=0.5')
    reasons = {
        'cat/cut.png': 'not a readable image: damaged or cut off',
        'cat/empty.png': 'the file is empty',
        'dog/large.png': 'more than 134217728 pixels',
        'dog/webp.png': 'neither a PNG, a JPEG, a GIF nor a BMP file',
    }
    expected = [{'id': f'train/{k}', 'place': k, 'reason': v} for k, v in reasons.items()]
    expected[2]['detail'] = '32768 x 16384'
    assert source_data.rejected(out) == expected
    stats = json.loads((out / 'stats.json').read_text())
    assert stats['rejected'] == dict.fromkeys(reasons.values(), 1)
    assert source_data.description(out)['counts']['rejected'] == 4
    assert sorted(source_data.by_id(out)) == [
        f'train/{n}' for n in sorted(source_data.picture_files())
    ]


def test_too_many_rejected_items_are_refused(tmp_path, capsys):
    """4 of 28 are a seventh: one share below and one above."""
    source = bad_pictures(tmp_path)
    out = tmp_path / 'out'
    flags = (source, *IMAGE_FLAGS, f'--output={out}')
    message = refusal(capsys, *flags, '--max_rejected_share=0.142')
    assert message.startswith('4 of 28 items cannot be used (1 x ')
    assert '1 x the file is empty' in message
    assert f'more than --max_rejected_share=0.142: see rejected-*.jsonl in {out}, ' in message
    assert not (out / 'records.json').exists()
    assert len(source_data.rejected(out)) == 4
    assert run_job(*flags, '--max_rejected_share=0.143') == 0


def test_by_default_hardly_any_may_be_rejected(tmp_path, capsys):
    message = refusal(capsys, bad_pictures(tmp_path), *IMAGE_FLAGS, f'--output={tmp_path / "out"}')
    assert '--max_rejected_share=0.01' in message


def test_limit_takes_the_smallest_hashes_of_each_split(tmp_path, table):
    whole = job(tmp_path / 'whole', table, *TEXT_FLAGS, '--validation_share=0.3')
    for limit in (1, 5, 1000):
        flags = (*TEXT_FLAGS, '--validation_share=0.3', f'--limit={limit}')
        out = job(tmp_path / f'{limit}', table, *flags)
        for split in ('train', 'validation'):
            ids = sorted((e.id for e in source_data.examples(whole, split)), key=anchors.id_hash)
            assert [e.id for e in source_data.examples(out, split)] == ids[:limit]


def test_a_permutation_is_stored_and_applied(tmp_path):
    source = (
        f'--source=images:{source_data.write_folder(tmp_path / "in", source_data.picture_files())}'
    )
    plain = source_data.by_id(job(tmp_path / 'plain', source, *IMAGE_FLAGS))
    out = job(tmp_path / 'mixed', source, *IMAGE_FLAGS, '--permutation_seed=3')
    spec = source_data.description(out)['spec']
    assert spec['permutation_seed'] == 3
    assert sorted(spec['permutation']) == list(range(16)) != spec['permutation']
    for example in source_data.by_id(out).values():
        values = np.frombuffer(plain[example.id].values, np.uint8).reshape(16, 3)
        assert example.values == values[spec['permutation']].tobytes()


def test_a_finished_output_is_kept_unless_told(tmp_path, table, capsys):
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--shards=3')
    before = source_data.contents(out)
    flags = (table, *TEXT_FLAGS, f'--output={out}', '--validation_share=0')
    message = refusal(capsys, *flags)
    assert message == (
        f'--output={out}: holds finished records; add --overwrite to replace them, or name another '
        'folder'
    )
    assert source_data.contents(out) == before
    job(out, *flags, '--overwrite')
    # Nothing of the three shards and of the other split is left.
    assert set(source_data.contents(out)) == {
        'records.json',
        'stats.json',
        'train-00000-of-00001.index',
        'train-00000-of-00001.tfrecord',
    }


def test_leftovers_of_a_job_go_and_other_files_stay(tmp_path, table, monkeypatch):
    """A job of three shards breaks off; the next one has two."""
    out, others = tmp_path / 'out', ['notes.txt', 'a.partial', 'rejected-x.jsonl', 'mine.index']
    source_data.write_folder(out, dict.fromkeys(others, b'mine'))
    with monkeypatch.context() as patch:
        patch.setattr(graph, 'finish', lambda *_: (_ for _ in ()).throw(LonghaulError('ends')))
        assert run_job(table, *TEXT_FLAGS, '--shards=3', f'--output={out}') == 2
    (out / 'test-00000-of-00003.index').write_text('of another tool')
    (out / 'stats.json.partial').write_text('of the job')
    assert len(source_data.contents(out)) == 18
    message = f'--output={out}: holds test-00000-of-00003.index, and nothing there says that this '
    before = source_data.contents(out)
    with pytest.raises(LonghaulError, match=re.escape(message)):
        output.prepare(str(out), mark_of('b', ['train'], 2), overwrite=True)
    assert source_data.contents(out) == before
    (out / 'test-00000-of-00003.index').unlink()
    job(out, table, *TEXT_FLAGS, '--shards=2')
    found = source_data.contents(out)
    assert [found.get(name) for name in others] == [b'mine'] * 4
    assert len(found) == 4 + 8 + 2


@pytest.mark.parametrize('flags', [(), ('--overwrite',)])
@pytest.mark.parametrize(
    ('name', 'content'),
    [
        ('train-00000-of-00010.tfrecord', b'of another tool'),
        ('validation-00003-of-00010.index', b''),
        ('stats.json', b'{"mine": 1}'),
        ('rejected-train-00000-of-00001.jsonl.partial', b''),
        ('records.json', b'{"format_version": "b", "shards": {}}'),
        ('records.json', b'[1'),
    ],
)
def test_files_of_other_tools_are_never_removed(tmp_path, table, capsys, name, content, flags):
    out = source_data.write_folder(tmp_path / 'out', {name: content, 'notes.txt': b'hi'})
    message = refusal(capsys, table, *TEXT_FLAGS, f'--output={out}', *flags)
    assert message.startswith(f'--output={out}: holds {name}, and nothing there says that this job')
    assert message.endswith('; name another folder, or move such files away')
    assert source_data.contents(out) == {name: content, 'notes.txt': b'hi'}


def test_records_of_a_job_without_marks_are_replaced(tmp_path, table, monkeypatch):
    """Older jobs left none. A kill while the old files go leaves nothing that is in the way."""
    out = job(tmp_path / 'out', table, *TEXT_FLAGS, '--shards=3')
    (out / '.job.json').unlink()
    with monkeypatch.context() as patch:
        patch.setattr(output, '_clear', lambda *_: (out / 'records.json').unlink() or 1 / 0)
        assert run_job(table, *TEXT_FLAGS, f'--output={out}', '--overwrite') == 2
    job(out, table, *TEXT_FLAGS)
    assert len(source_data.contents(out)) == 6


def test_a_damaged_mark_is_none(tmp_path, table):
    (tmp_path / 'out').mkdir()
    for text in ('[' * 100_000, '', '[]', '{"job": "a"}', '{"job": "a", "shards": 3}', '\xff'):
        (tmp_path / 'out' / '.job.json').write_text(text, encoding='latin-1')
        assert read(str(tmp_path / 'out')) is None
    job(tmp_path / 'out', table, *TEXT_FLAGS)


def test_a_source_that_goes_after_the_end_is_no_error(tmp_path, capsys, monkeypatch):
    """What was taken for what is found out before the records are written."""
    source_data.write_csv(tmp_path / 'in' / 'train.csv', documents())
    original = launcher._finish

    def finish(*arguments):
        ended = original(*arguments)
        shutil.rmtree(tmp_path / 'in')
        return ended

    monkeypatch.setattr(launcher, '_finish', finish)
    job(tmp_path / 'out', f'--source=csv:{tmp_path / "in"}', *TEXT_FLAGS)
    assert '  read as splits: train from train.csv\n' in capsys.readouterr().out


def test_one_job_at_a_time_writes_into_a_folder(tmp_path, table, capsys, monkeypatch):
    out, flags = tmp_path / 'out', (table, *TEXT_FLAGS, f'--output={tmp_path / "out"}')
    with output.held(str(out)):
        message = refusal(capsys, *flags)
    assert message.startswith(f'--output={out}: process {os.getpid()} on ')
    assert 'writes records there; wait for it, end it, or name another --output' in message
    assert source_data.contents(out) == {}
    # Where there is no lock, the job whose mark is gone says so, and finishes nothing.
    with monkeypatch.context() as patch:
        original = graph.write_shard
        patch.setattr(
            graph,
            'write_shard',
            lambda *a: mark_of('b', ['train', 'validation'], 1).write(str(out)) or original(*a),
        )
        message = refusal(capsys, *flags)
    assert message.startswith(f'--output={out}: another job has begun to write there')
    assert not (out / 'records.json').exists()
    job(out, *flags)


@pytest.mark.parametrize('name', ['with space', 'größe', 'a[1]*?'])
def test_output_folders_of_any_name(tmp_path, table, name):
    out = job(tmp_path / name, table, *TEXT_FLAGS, '--shards=2')
    job(out, table, *TEXT_FLAGS, '--overwrite')
    assert len(source_data.contents(out)) == 6


def test_relative_folders(tmp_path, table, monkeypatch):
    monkeypatch.chdir(tmp_path)
    job('deep/out', '--source=csv:t.csv', *TEXT_FLAGS)
    job('other', table, *TEXT_FLAGS)
    a, b = source_data.contents(tmp_path / 'deep/out'), source_data.contents(tmp_path / 'other')
    assert a == b


@pytest.mark.parametrize('place', ['file', 'file/below', '/proc/none'])
def test_an_output_that_cannot_be_written_is_refused(tmp_path, table, capsys, place):
    (tmp_path / 'file').write_text('a file')
    output = tmp_path / place
    message = refusal(capsys, table, *TEXT_FLAGS, f'--output={output}')
    assert message.startswith(f'--output={output}: cannot be written to (')
    assert message.endswith('; name a folder that you may write to')
    assert (tmp_path / 'file').read_text() == 'a file'


def test_a_failed_job_leaves_nothing_that_passes_for_finished(tmp_path, table, monkeypatch):
    """Failing while a shard is written, and while it replaces finished records."""
    out = job(tmp_path / 'out', table, *TEXT_FLAGS)
    before = source_data.contents(out)
    original, calls = graph.write_shard, []

    def write_shard(*arguments):
        calls.append(arguments)
        if len(calls) > 1:
            raise OSError('no space left on device')
        return original(*arguments)

    monkeypatch.setattr(graph, 'write_shard', write_shard)
    with pytest.raises(Exception, match='no space left'):
        run_job(table, *TEXT_FLAGS, f'--output={out}', '--overwrite')
    assert len(calls) > 1
    assert not (out / 'records.json').exists()
    with pytest.raises(LonghaulError, match='has not finished'):
        records.read_info(str(out))
    monkeypatch.undo()
    # Without --overwrite: there is nothing finished to lose.
    job(out, table, *TEXT_FLAGS)
    assert source_data.contents(out) == before


def test_an_interrupt_while_a_shard_is_written(tmp_path, table, capsys, monkeypatch):
    def write_shard(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(graph, 'write_shard', write_shard)
    assert run_job(table, *TEXT_FLAGS, f'--output={tmp_path / "out"}') == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines == ['stopped; the output is unfinished: run the same command again']


def test_nothing_to_train_on_is_refused(tmp_path, table, capsys):
    message = refusal(
        capsys, table, *TEXT_FLAGS, f'--output={tmp_path / "out"}', '--validation_share=1'
    )
    assert '--validation_share' in message


def test_an_unknown_runner_is_refused(tmp_path, table, capsys):
    message = refusal(
        capsys, table, *TEXT_FLAGS, f'--output={tmp_path / "out"}', '--runner=NoSuchRunner'
    )
    assert 'NoSuchRunner' in message


def test_a_refusal_of_a_worker_says_nothing_of_beam(tmp_path, table, capsys):
    (tmp_path / 'names.txt').write_text('fog\n')
    names = f'--class_names={tmp_path / "names.txt"}'
    assert run_job(table, *TEXT_FLAGS, names, f'--output={tmp_path / "out"}') == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == (
        'error: --class_names: none of the 1 names occurs as a label; found: rain, sun. Labels are '
        'names, or integers 0..0 or 1..1'
    )
