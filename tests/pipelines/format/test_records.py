"""records.json: what it holds, and one line for each way in which it can be wrong."""

import hashlib
import json

import pytest

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec, character_spec, text_spec

IMAGE = SequenceSpec('image', image_size=2, permutation_seed=5, permutation=(3, 1, 0, 2))
CHARACTERS = character_spec(max_steps=9).with_vocabulary('e 漢😀"\n\u2028\0')


def info(spec=IMAGE, **changed):
    shard = {'name': 'train-00000-of-00001', 'examples': 3, 'bytes': 9, 'sha256': 'a'}
    shard['index_sha256'] = 'b'
    values = {
        'spec': spec,
        'segment_steps': 3,
        'auxiliary_steps': 2,
        'anchors_per_sequence': 1,
        'anchor_sets': 4,
        'seed': 7,
        'class_names': ('kätzchen', 'dog'),
        'shards': {'train': [shard]},
        'counts': {'splits': {'train': 3}},
        'lengths': {'train': {'4': 3}},
        'options': {'limit': None},
        'versions': {'tensorflow': '2.20.0'},
    }
    return records.RecordsInfo(**{**values, **changed})


def refused(text):
    with pytest.raises(LonghaulError) as caught:
        records.parse_info(text, '/some/where/records.json')
    message = str(caught.value)
    assert message.startswith('/some/where/records.json: ')
    assert '\n' not in message
    return message


@pytest.mark.parametrize(
    'spec', [IMAGE, text_spec(max_steps=9), CHARACTERS], ids=['image', 'bytes', 'characters']
)
def test_what_is_written_is_read_back(spec, tmp_path):
    (tmp_path / 'records.json').write_text(info(spec).to_json(), encoding='utf-8')
    assert records.read_info(str(tmp_path)) == info(spec)


def test_the_text_does_not_depend_on_the_order_of_keys():
    other = info(counts={'b': 1, 'a': 2})
    text = info(counts={'a': 2, 'b': 1}).to_json()
    assert other.to_json() == text
    assert text.endswith('}\n')
    assert 'kätzchen' in text
    assert list(json.loads(text)) == sorted(json.loads(text))


def test_a_vocabulary_can_be_read_and_has_a_hash():
    text = info(CHARACTERS).to_json()
    assert '"vocabulary": "e 漢😀\\"\\n\u2028\\u0000"' in text
    expected = hashlib.sha256('e 漢😀"\n\u2028\0'.encode()).hexdigest()
    assert json.loads(text)['spec']['vocabulary_sha256'] == expected
    # Trainers that know of no vocabulary refuse keys that they do not know.
    assert not {'vocabulary', 'vocabulary_sha256'} & json.loads(info().to_json())['spec'].keys()


def test_names_of_shards():
    assert records.shard_name('train', 7, 16) == 'train-00007-of-00016'


def test_refuses_a_missing_folder(tmp_path):
    folder = str(tmp_path / 'none')
    with pytest.raises(LonghaulError, match=f'^{folder}: no such folder of records; make one'):
        records.read_info(folder)


def test_refuses_a_description_that_cannot_be_read(tmp_path):
    (tmp_path / 'records.json').mkdir()
    path = tmp_path / 'records.json'
    with pytest.raises(LonghaulError, match=f'^{path}: cannot be read .*directory.*; make it read'):
        records.read_info(str(tmp_path))


def test_an_unfinished_folder_is_not_taken_for_finished(tmp_path):
    # All that a job killed before its last step leaves behind.
    for name in ('train-00000-of-00001.tfrecord', 'stats.json', 'records.json.partial'):
        (tmp_path / name).write_text(info().to_json())
    expected = f'^{tmp_path}: holds no records.json, so the job that fills it has not finished; run'
    with pytest.raises(LonghaulError, match=expected):
        records.read_info(str(tmp_path))


@pytest.mark.parametrize('version', [0, 2, '1', None])
def test_refuses_another_format_version(version):
    values = json.loads(info().to_json()) | {'format_version': version, 'unheard_of': 1}
    message = refused(json.dumps(values))
    assert f'format version {version}, this trainer reads version 1; write the records' in message


OPTIONAL = ('options', 'versions', 'files', 'sha256')


@pytest.mark.parametrize('key', [k for k in json.loads(info().to_json()) if k not in OPTIONAL])
def test_refuses_a_missing_key(key):
    values = json.loads(info().to_json())
    del values[key]
    message = refused(json.dumps(values))
    assert f"'{key}'" in message
    assert 'again with --overwrite' in message


@pytest.mark.parametrize(
    'text',
    ['', '[]', '3', 'null', '{', info().to_json()[:-20], '{"a": 1}', '[' * 99_999],
    ids=lambda text: repr(text[:9]),
)
def test_refuses_damage(text):
    assert 'damaged (' in refused(text)


@pytest.mark.parametrize(
    ('key', 'value'),
    [
        ('spec', None),
        ('spec', 3),
        ('spec', []),
        ('spec', 'ab'),
        ('class_names', None),
        ('class_names', 3),
    ],
    ids=str,
)
def test_refuses_values_of_another_type(key, value):
    refused(json.dumps(json.loads(info().to_json()) | {key: value}))


def test_refuses_an_unknown_key():
    assert 'colour' in refused(json.dumps(json.loads(info().to_json()) | {'colour': 1}))


@pytest.mark.parametrize(
    ('changed', 'expected'),
    [
        ({'kind': 'sound'}, "SequenceSpec.kind='sound': this version knows 'image', 'text'"),
        ({'dtype': 'int64'}, "SequenceSpec.dtype='int64': this version knows 'uint8'"),
        ({'channels': 4}, 'SequenceSpec.channels=4: 1 or 3 is known for image'),
        ({'tokens': 'words'}, "SequenceSpec.tokens='words': this version knows None, 'bytes'"),
        ({'image_size': None}, 'SequenceSpec.image_size=None: images need one'),
        ({'permutation': [0, 1]}, 'SequenceSpec.permutation: 2 places, 4 are needed'),
        ({'flavour': 1}, 'flavour'),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else '',
)
def test_refuses_a_spec_of_another_kind(changed, expected):
    values = json.loads(info().to_json())
    values['spec'] |= changed
    assert expected in refused(json.dumps(values))


@pytest.mark.parametrize(
    ('changed', 'expected'),
    [
        ({'vocabulary': 'e 漢😀"\n\u2029\0'}, 'damaged, its sha256 is '),
        ({'vocabulary': ' e漢😀"\n\u2028\0'}, 'damaged, its sha256 is '),
        ({'vocabulary': '\ud800 漢😀"\n\u2028\0'}, 'damaged, its sha256 is '),
        ({'vocabulary_sha256': None}, 'and not None; run python -m pipelines.main again'),
        ({'vocabulary': None}, 'SequenceSpec.vocabulary: missing, and characters need one'),
        ({'vocabulary': ''}, '0 characters, 0 of them different; 1..65535 different ones'),
        ({'vocabulary': 'ee'}, '2 characters, 1 of them different; 1..65535 different ones'),
        ({'vocabulary': 'e'}, 'vocabulary_size=9: 2 is needed for a vocabulary of 1 characters'),
        ({'vocabulary_size': 10}, 'vocabulary_size=10: 9 is needed for a vocabulary of 8 char'),
        ({'dtype': 'uint8'}, "is for characters stored as uint16, not for tokens='characters'"),
        ({'tokens': 'bytes'}, "is for characters stored as uint16, not for tokens='bytes'"),
        ({'vocabulary': 3}, 'damaged ('),
        ({'vocabulary': list('e 漢😀"\n\u2028\0')}, 'damaged ('),
    ],
    ids=str,
)
def test_refuses_a_damaged_vocabulary(changed, expected):
    values = json.loads(info(CHARACTERS).to_json())
    values['spec'] |= changed
    assert expected in refused(json.dumps(values))


def test_refuses_a_file_that_is_no_text(tmp_path):
    (tmp_path / 'records.json').write_bytes(b'\xff\xfe\x00\x81')
    with pytest.raises(LonghaulError, match=f'^{tmp_path}/records.json: damaged'):
        records.read_info(str(tmp_path))
