"""The verifier finds one flipped byte anywhere, and names the place; it finds nothing else."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines import launcher
from pipelines.format import anchors, records
from pipelines.format.errors import LonghaulError
from pipelines.format.frames import INDEX_DTYPE, frame
from pipelines.format.serializing import serialize_examples
from pipelines.format.spec import signal_spec
from tools.verify import __main__ as command
from tools.verify import faults
from tools.verify.example import Example


@pytest.fixture(scope='module')
def sound(tmp_path_factory):
    """Documents as characters in two shards a split, one of them rejected."""
    folder = tmp_path_factory.mktemp('sound')
    lines = [{'text': 'some words ' * (1 + i % 9), 'label': f'c{i % 2}'} for i in range(60)]
    lines.append({'text': '', 'label': 'c0'})
    source = folder / 'train.jsonl'
    source.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    output = folder / 'records'
    code = launcher.main(
        [
            f'--source=jsonl:{source}',
            '--tokens=characters',
            '--segment_steps=20',
            '--auxiliary_steps=8',
            '--anchor_sets=2',
            '--anchors_per_sequence=2',
            '--shards=2',
            '--test_share=0.2',
            '--max_rejected_share=0.1',
            f'--output={output}',
        ]
    )
    assert code == 0
    return output


@pytest.fixture
def copy(sound, tmp_path):
    return Path(shutil.copytree(sound, tmp_path / 'records'))


def verify(folder, capsys):
    code = command.main([str(folder)])
    found = capsys.readouterr()
    return code, (found.out + found.err).splitlines()


@pytest.mark.parametrize('name', ['sound', 'digit_records', 'text_records', 'signal_records'])
def test_sound_records_have_no_fault(request, name, capsys):
    code, lines = verify(request.getfixturevalue(name), capsys)
    assert code == 0, lines
    assert lines[-1].endswith('no fault')


def test_a_value_that_is_no_number_is_found():
    values = np.zeros([4, 2], np.float16)
    values[2, 1] = np.nan
    spec = signal_spec(dtype='float16', channels=2)
    info = records.RecordsInfo(
        spec=spec,
        segment_steps=3,
        auxiliary_steps=2,
        anchors_per_sequence=1,
        anchor_sets=1,
        seed=0,
        class_names=(),
        shards={},
        counts={},
        lengths={},
    )
    lengths, id_hash = np.array([4]), anchors.id_hash('a')
    drawn = anchors.sample_anchors(
        seed=0,
        sets=[0],
        id_hashes=np.array([id_hash], np.uint64),
        lengths=lengths,
        auxiliary_steps=anchors.auxiliary_length(lengths, 2, fixed_length=False),
        anchors_per_sequence=1,
    )
    (payload,) = serialize_examples(
        ids=['a'], labels=[-1], values=[values], anchors=drawn, segment_steps=3
    )
    entry = np.array([(0, len(payload), 2, 4, id_hash)], INDEX_DTYPE)[0]
    found = list(Example(payload, info).faults(entry))
    assert found == ['step 2 holds NaN or an infinite value']


def test_a_flipped_byte_anywhere_is_found(sound, tmp_path, capsys):
    """In every file, at its ends and at places in between."""
    files = sorted(path for path in sound.iterdir() if not path.name.startswith('.'))
    kinds = {path.stem.split('-')[0] + path.suffix for path in files}
    assert kinds >= {'records.json', 'stats.json', 'rejected.jsonl', 'train.index', 'test.tfrecord'}
    for number, path in enumerate(files):
        size = path.stat().st_size
        for place in sorted({0, 3, size // 3, size // 2, size - 5, size - 1}):
            folder = tmp_path / f'{number}-{place}'
            shutil.copytree(sound, folder)
            data = bytearray((folder / path.name).read_bytes())
            data[place] ^= 4
            (folder / path.name).write_bytes(data)
            code, lines = verify(folder, capsys)
            assert code == (2 if lines[-1].startswith('error: ') else 1), (path.name, place)
            assert any(path.name in line for line in lines), (path.name, place, lines)
            shutil.rmtree(folder)


@pytest.mark.parametrize(
    ('place', 'what'),
    [
        (30, 'a damaged record: its checksum does not fit'),
        (3, 'a damaged record: its length does not fit'),
        (9, 'a damaged record: its length does not fit'),
        (-1, 'a damaged record: its checksum does not fit'),
    ],
)
def test_a_flipped_byte_of_a_record_is_one_line(copy, capsys, place, what):
    shard = sorted(copy.glob('train-*.tfrecord'))[0]
    rows = np.frombuffer(shard.with_suffix('.index').read_bytes(), INDEX_DTYPE)
    data = bytearray(shard.read_bytes())
    offset = int(rows['offset'][3])
    data[(int(rows['offset'][4]) if place < 0 else offset) + place] ^= 1
    shard.write_bytes(data)
    code, lines = verify(copy, capsys)
    assert (code, len(lines)) == (1, 2)
    assert lines[0] == f'{shard.name}, offset {offset}: {what}'
    assert lines[1].endswith(': 1 fault; 1 records unread, counts not compared')
    if place == 3:
        # Without a whole index nobody knows where the next record begins.
        path = shard.with_suffix('.index')
        path.write_bytes(path.read_bytes()[:-1])
        code, lines = verify(copy, capsys)
        assert lines[2].endswith(f'; the {len(rows) - 4} records behind it are unread')
        assert lines[-1].endswith(
            f': 3 faults; {len(rows) - 3} records unread, counts not compared'
        )


def test_one_wrong_number_of_the_description_is_one_line(copy, capsys):
    path = copy / 'records.json'
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 7'))
    code, lines = verify(copy, capsys)
    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith('records.json: its own sha256 does not fit')


def test_a_file_full_of_faults_shows_some(copy, capsys, monkeypatch):
    monkeypatch.setattr(faults, '_MOST_SHOWN', 5)

    def change(examples, rows):
        for example in examples:
            example.features.feature['label'].int64_list.value[0] = 9

    rewrite(copy, change)
    code, lines = verify(copy, capsys)
    shard = sorted(copy.glob('train-*.tfrecord'))[0].name
    own = [line for line in lines if line.startswith(shard)]
    count = len(np.frombuffer((copy / shard).with_suffix('.index').read_bytes(), INDEX_DTYPE))
    assert (code, len(own), own[-1]) == (1, 6, f'{shard}: {count - 5} more faults')


def edited(values, places, change):
    """A copy of JSON values with one place changed."""
    found = json.loads(json.dumps(values))
    *way, last = places
    inner = found
    for key in way:
        inner = inner[key]
    inner[last] = change
    return found


def places_of(values, before=()):
    """The keys that lead to each part of JSON values."""
    for key in values if isinstance(values, dict) else range(len(values)):
        yield (*before, key)
        if isinstance(values[key], dict | list):
            yield from places_of(values[key], (*before, key))


def test_a_damaged_description_is_refused_in_one_line(sound, tmp_path, capsys):
    """Any single edit, its checksum made to fit: faults, or a refusal; never an error of Python."""
    values = json.loads((sound / 'records.json').read_text())
    places = [p for p in places_of(values) if p != ('format_version',)]
    shutil.copytree(sound, tmp_path / 'records')
    refused = 0
    for number, place in enumerate(places):
        change = (None, 'x', -1, [], {}, 1.5, True)[number % 7]
        changed = edited(values, place, change)
        path = tmp_path / 'records' / 'records.json'
        path.write_text(json.dumps(changed))
        try:
            info = records.read_info(str(path.parent))
            path.write_text(dataclasses.replace(info, sha256='').to_json())
        except LonghaulError:
            refused += 1
        if number % 5 == 0:
            code, lines = verify(path.parent, capsys)
            assert code == (2 if lines[-1].startswith('error: ') else 1), (place, change)
            assert code == 1 or (len(lines), lines[0][:7]) == (1, 'error: '), (place, change)
    assert refused > len(places) / 2


def rewrite(folder, change):
    """Changes the first training shard's records; all checksums are made to fit again."""
    info = json.loads((folder / 'records.json').read_text())
    entry = info['shards']['train'][0]
    path = folder / f'{entry["name"]}.tfrecord'
    rows = np.frombuffer(path.with_suffix('.index').read_bytes(), INDEX_DTYPE).copy()
    data = path.read_bytes()
    payloads = [
        data[o + 12 : o + 12 + n] for o, n in zip(rows['offset'], rows['bytes'], strict=True)
    ]
    examples = [tf.train.Example.FromString(payload) for payload in payloads]
    change(examples, rows)
    payloads = [example.SerializeToString(deterministic=True) for example in examples]
    rows['bytes'] = [len(payload) for payload in payloads]
    sizes = rows['bytes'].astype(np.uint64) + np.uint64(16)
    rows['offset'] = np.cumsum(sizes) - sizes
    path.write_bytes(b''.join(map(frame, payloads)))
    path.with_suffix('.index').write_bytes(rows.tobytes())
    entry['bytes'] = path.stat().st_size
    entry['sha256'] = hashlib.sha256(path.read_bytes()).hexdigest()
    entry['index_sha256'] = hashlib.sha256(rows.tobytes()).hexdigest()
    (folder / 'records.json').write_text(json.dumps(info))
    found = records.read_info(str(folder))
    info['sha256'] = found.content_sha256()
    (folder / 'records.json').write_text(json.dumps(info))
    sound = records.read_info(str(folder))
    (folder / 'records.json').write_text(sound.to_json())


def ints(examples, name, number=0):
    return examples[number].features.feature[name].int64_list.value


def set_int(name, value):
    def change(examples, rows):
        ints(examples, name)[0] = value

    return change


def swap_ids(examples, rows):
    """The same id twice."""
    first, second = (e.features.feature['id'].bytes_list.value for e in examples[:2])
    second[0] = first[0]


def cut_segment(examples, rows):
    segments = examples[0].features.feature['segments'].bytes_list.value
    segments[0] = segments[0][:-2]


def unknown_character(examples, rows):
    segments = examples[0].features.feature['segments'].bytes_list.value
    segments[-1] = b'\xff\xff' + segments[-1][2:]


def one_feature_less(examples, rows):
    del examples[0].features.feature['label']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (set_int('label', 7), 'label 7: there are 2 classes'),
        (set_int('length', 3), 'segments of '),
        (set_int('r_anchors', 1000), 'r_anchors [1000'),
        (set_int('r_anchors', -1), 'r_anchors [-1'),
        (set_int('r_starts', 999), 'r_starts [999'),
        (set_int('p_anchors', 999), 'p_anchors [999'),
        (swap_ids, 'is also in train-'),
        (cut_segment, 'segments of '),
        (unknown_character, 'id 65535: the vocabulary has '),
        (one_feature_less, 'has the features '),
        (lambda examples, rows: rows['id_hash'].__setitem__(0, 5), 'the index says id_hash 5'),
        (lambda examples, rows: rows['length'].__setitem__(0, 5), 'the index says length 5'),
    ],
)
def test_what_checksums_do_not_show_is_found(copy, capsys, change, words):
    rewrite(copy, lambda examples, rows: None)
    assert verify(copy, capsys)[0] == 0
    rewrite(copy, change)
    code, lines = verify(copy, capsys)
    assert code == 1
    assert [line for line in lines if words in line and ', offset ' in line], lines


@pytest.mark.parametrize('trailing', ['blank', 'noise'])
def test_a_trailing_step_that_is_wrong_is_found(tmp_path, capsys, trailing):
    flags = ['--source=builtin:digits', '--image_size=8', '--auxiliary_steps=8', '--limit=20']
    flags += ['--trailing_steps=9', f'--trailing={trailing}', f'--output={tmp_path / "records"}']
    assert launcher.main(flags) == 0
    assert verify(tmp_path / 'records', capsys)[0] == 0

    def change(examples, rows):
        segments = examples[0].features.feature['segments'].bytes_list.value
        segments[-1] = segments[-1][:-3] + bytes([segments[-1][-3] ^ 1]) + segments[-1][-2:]

    rewrite(tmp_path / 'records', change)
    code, lines = verify(tmp_path / 'records', capsys)
    assert code == 1
    words = f'offset 0: trailing step 70 is not what {trailing} steps of its id hold'
    assert [line for line in lines if line.endswith(words)], lines


def test_counts_that_lie_are_found(copy, capsys):
    info = json.loads((copy / 'records.json').read_text())
    info['counts']['steps']['train'] += 1
    (copy / 'records.json').write_text(json.dumps(info))
    info['sha256'] = records.read_info(str(copy)).content_sha256()
    (copy / 'records.json').write_text(json.dumps(info))
    (copy / 'records.json').write_text(records.read_info(str(copy)).to_json())
    code, lines = verify(copy, capsys)
    assert code == 1
    assert len(lines) == 3
    assert lines[0].startswith('records.json: steps: ')
    assert lines[1] == 'stats.json: counts are not those of records.json'


def lie(folder, change):
    """Changes stats.json; all checksums are made to fit again."""
    stats = json.loads((folder / 'stats.json').read_text())
    change(stats)
    (folder / 'stats.json').write_text(json.dumps(stats))
    info = records.read_info(str(folder))
    info.files['stats.json'] = hashlib.sha256((folder / 'stats.json').read_bytes()).hexdigest()
    info = dataclasses.replace(info, sha256=info.content_sha256())
    (folder / 'records.json').write_text(info.to_json())


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda stats: stats['values']['train']['mean'].__setitem__(0, 0.5), 'train: mean [0.5]'),
        (lambda stats: stats['values']['test']['sums'].__setitem__(0, 5), 'test: sums [5], ['),
        (lambda stats: stats['values']['test'].pop('deviation'), 'test: deviation None'),
        (lambda stats: stats['values']['train'].update(steps=1), 'train: steps 1, '),
        (lambda stats: stats['entropy']['train'].__setitem__(0, 0.5), 'entropy of train: [0.5], ['),
        (lambda stats: stats['entropy'].update(test=None), 'entropy of test: None, ['),
        (lambda stats: stats['anchors_by_tenth_of_the_sequence']['p'].reverse(), 'sequence, p: ['),
        (lambda stats: stats['counts']['splits'].update(train=1), 'counts are not those'),
        (lambda stats: stats['lengths']['train'].clear(), 'lengths are not those'),
        (lambda stats: stats['rejected'].update(noise=2), 'rejected: 2, records.json says 0'),
        (lambda stats: stats.update(rejected=None), 'damaged ('),
    ],
)
def test_stats_that_lie_are_found(digit_records, tmp_path, capsys, change, words):
    folder = Path(shutil.copytree(digit_records, tmp_path / 'records'))
    lie(folder, lambda stats: None)
    assert verify(folder, capsys)[0] == 0
    lie(folder, change)
    code, lines = verify(folder, capsys)
    assert (code, len(lines)) == (1, 2)
    assert lines[0].startswith('stats.json: ')
    assert words in lines[0]


def test_a_count_of_encodings_that_lies_is_found(text_records, tmp_path, capsys):
    shutil.copytree(text_records, tmp_path / 'copy')
    info = json.loads((tmp_path / 'copy' / 'records.json').read_text())
    info['counts']['encodings']['train']['utf-16'] = 1
    info['sha256'] = ''
    (tmp_path / 'copy' / 'records.json').write_text(json.dumps(info))
    _, lines = verify(tmp_path / 'copy', capsys)
    assert [line for line in lines if line.startswith('records.json: encodings of train: ')]


def test_a_count_of_unknown_characters_that_lies_is_found(copy, capsys):
    info = json.loads((copy / 'records.json').read_text())
    info['counts']['vocabulary']['unknown']['train'] += 1
    info['sha256'] = ''
    (copy / 'records.json').write_text(json.dumps(info))
    _, lines = verify(copy, capsys)
    expected = "records.json: steps outside of the vocabulary: 1 of 'train', 0 are there"
    assert expected in lines


def test_what_is_missing_and_what_is_too_much(copy, capsys):
    (copy / 'stats.json').unlink()
    next(copy.glob('test-00000*.tfrecord')).unlink()
    (copy / 'train-00000-of-00009.tfrecord').touch()
    (copy / 'train-00000-of-00002.index.partial').touch()
    code, lines = verify(copy, capsys)
    assert code == 1
    text = '\n'.join(lines)
    assert 'stats.json: missing' in text
    assert 'test-00000-of-00002.tfrecord: missing' in text
    assert 'train-00000-of-00009.tfrecord: does not belong' in text
    assert 'train-00000-of-00002.index.partial: does not belong' in text


@pytest.mark.parametrize(
    'name', ['records.json', 'stats.json', 'train-00000-of-00002.tfrecord', '*1-of-00002.index']
)
def test_what_cannot_be_read_is_no_fault_of_the_records(copy, capsys, name):
    (path,) = [p for p in copy.glob(name) if p.name.startswith(('train', 'records', 'stats'))]
    path.unlink()
    path.mkdir()
    code, (line,) = verify(copy, capsys)
    assert code == 2
    assert line.startswith(f'error: {copy}')
    assert path.name in line
    assert 'cannot be read (' in line


def test_no_records_are_refused(tmp_path, capsys):
    code, lines = verify(tmp_path, capsys)
    assert (code, len(lines)) == (2, 1)
    assert lines[0].startswith('error: ')
