"""Random access to the records, checked against TensorFlow's own reader; damage is refused."""

import concurrent.futures
import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.format import anchors, frames, index, records
from pipelines.format.errors import LonghaulError

NAME = 'train-00000-of-00001'


def reader(folder, split='train'):
    return index.RecordReader(str(folder), split, records.read_info(str(folder)))


@pytest.fixture
def copied(text_records, tmp_path):
    """A copy to be damaged."""
    return shutil.copytree(text_records, tmp_path / 'copy')


def change(path, at, value=None):
    data = bytearray(path.read_bytes())
    data[at] = data[at] ^ 1 if value is None else value
    path.write_bytes(data)


def test_frames_as_tensorflow_does(tmp_path):
    payloads = [b'', b'a', b'\0' * 1000, bytes(range(256)) * 9]
    with tf.io.TFRecordWriter(str(tmp_path / 'theirs')) as writer:
        for payload in payloads:
            writer.write(payload)
    ours = b''.join(frames.frame(p) for p in payloads)
    assert ours == (tmp_path / 'theirs').read_bytes()


def test_masked_crc_is_the_published_one():
    # crc32c('123456789') = 0xe3069283, rotated right by 15, plus 0xa282ead8.
    crc = 0xE3069283
    assert frames.masked_crc(b'123456789') == ((crc >> 15 | crc << 17) + 0xA282EAD8) % 2**32


@pytest.mark.parametrize('split', ['train', 'validation', 'test'])
def test_reads_what_tensorflow_reads(text_records, split):
    found = reader(text_records, split)
    paths = tf.io.gfile.glob(f'{text_records}/{split}-*.tfrecord')
    expected = list(tf.data.TFRecordDataset(sorted(paths)).as_numpy_iterator())
    assert len(found) == len(expected) > 0
    assert found.read_batch(range(len(found))) == expected
    some = [3, 0, 3, len(expected) - 1]
    assert found.read_batch(some) == [expected[i] for i in some]


def test_entries_say_what_the_examples_hold(text_records):
    found = reader(text_records)
    for entry, payload in zip(found.entries, found.read_batch(range(len(found))), strict=True):
        feature = tf.train.Example.FromString(payload).features.feature
        assert entry['id_hash'] == anchors.id_hash(feature['id'].bytes_list.value[0].decode())
        assert entry['length'] == feature['length'].int64_list.value[0]
        assert entry['segments'] == len(feature['segments'].bytes_list.value)
        assert entry['bytes'] == len(payload)


def test_the_layout_of_an_index(text_records):
    """Five little-endian integers a row: offset u8, bytes u4, segments u4, length u8, id u8."""
    data = Path(text_records, f'{NAME}.index').read_bytes()
    rows = list(struct.iter_unpack('<QIIQQ', data))
    assert rows == [tuple(row)[:5] for row in reader(text_records).entries.tolist()]
    assert rows[0][0] == 0
    assert rows[1][0] == rows[0][1] + 16


def test_several_shards_lie_one_behind_the_other(tmp_path):
    shards, expected = [], []
    for number, count in enumerate((2, 0, 3)):
        name = records.shard_name('train', number, 3)
        payloads = [bytes([number, i]) * (i + 1) for i in range(count)]
        data = b''.join(map(frames.frame, payloads))
        ends = np.cumsum([len(p) + 16 for p in payloads], dtype=int).tolist()
        rows = [
            (end - len(p) - 16, len(p), 1, 1, i)
            for i, (end, p) in enumerate(zip(ends, payloads, strict=True))
        ]
        (tmp_path / f'{name}.tfrecord').write_bytes(data)
        (tmp_path / f'{name}.index').write_bytes(np.array(rows, frames.INDEX_DTYPE).tobytes())
        shards.append({'name': name, 'examples': count, 'bytes': len(data)})
        expected += payloads
    info = _info(shards)
    found = index.RecordReader(str(tmp_path), 'train', info)
    assert found.read_batch(range(5)) == expected
    assert found.entries['shard'].tolist() == [0, 0, 2, 2, 2]
    assert len(index.RecordReader(str(tmp_path), 'test', info)) == 0


def _info(shards):
    values = dict.fromkeys(records.RecordsInfo.__dataclass_fields__)
    return records.RecordsInfo(**{**values, 'shards': {'train': shards}})


def test_reads_in_many_threads_and_beyond_the_kept_descriptors(text_records, monkeypatch):
    expected = reader(text_records).read_batch(range(100))
    for keep in (1, 0):
        monkeypatch.setattr(index, '_MAX_OPEN', keep)
        found = reader(text_records)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            assert list(pool.map(found.read, list(range(100)) * 5)) == expected * 5


@pytest.mark.parametrize(
    'place', [0, 8, 12, 40, -1], ids=['length', 'length-crc', 'payload', 'deeper', 'payload-crc']
)
def test_a_flipped_bit_is_refused_with_shard_and_offset(copied, place):
    entry = reader(copied).entries[5]
    begin, size = int(entry['offset']), int(entry['bytes']) + 16
    change(copied / f'{NAME}.tfrecord', begin + place % size)
    found = reader(copied)
    with pytest.raises(LonghaulError) as caught:
        found.read(5)
    expected = f'{copied}/{NAME}.tfrecord: damaged record at offset {begin} ('
    assert str(caught.value).startswith(expected)
    assert '--overwrite' in str(caught.value)
    found.read(4)
    found.read(6)


def test_a_shard_truncated_after_opening_is_refused_with_its_offset(copied):
    found = reader(copied)
    last = len(found) - 1
    with open(copied / f'{NAME}.tfrecord', 'r+b') as file:
        file.truncate(file.seek(0, 2) - 1)
    offset = found.entries['offset'][last]
    with pytest.raises(LonghaulError, match=f'{NAME}.tfrecord: damaged record at offset {offset}'):
        found.read(last)
    found.read(last - 1)


@pytest.mark.parametrize('by', [-1, 1], ids=['shorter', 'longer'])
@pytest.mark.parametrize('suffix', ['tfrecord', 'index'])
def test_a_file_of_another_size_is_refused(copied, suffix, by):
    path = copied / f'{NAME}.{suffix}'
    data = path.read_bytes()
    path.write_bytes(data[:by] if by < 0 else data + b'\0')
    with pytest.raises(LonghaulError) as caught:
        reader(copied)
    assert str(caught.value).startswith(f'{path}: has {len(data) + by} bytes, ')
    assert str(len(data)) in str(caught.value)
    assert '--overwrite' in str(caught.value)


@pytest.mark.parametrize('suffix', ['tfrecord', 'index'])
def test_a_missing_file_is_refused(copied, suffix):
    path = copied / f'{NAME}.{suffix}'
    path.unlink()
    with pytest.raises(LonghaulError, match=f'^{path}: missing, though records.json lists it'):
        reader(copied)


@pytest.mark.parametrize('field', ['offset', 'bytes'])
def test_an_index_that_does_not_fit_its_shard_is_refused(copied, field):
    path = copied / f'{NAME}.index'
    rows = np.frombuffer(path.read_bytes(), frames.INDEX_DTYPE).copy()
    rows[field][-1] += 1
    path.write_bytes(rows.tobytes())
    with pytest.raises(LonghaulError, match=f'^{path}: does not fit {copied}/{NAME}.tfrecord'):
        reader(copied)


def test_an_index_that_cannot_be_read_is_refused(copied):
    path = copied / f'{NAME}.index'
    path.unlink()
    path.mkdir()
    with pytest.raises(LonghaulError, match=f'^{path}: cannot be read .*directory'):
        reader(copied)


def test_a_shard_that_cannot_be_read_is_refused(copied):
    found, path = reader(copied), copied / f'{NAME}.tfrecord'
    path.unlink()
    path.mkdir()
    with pytest.raises(LonghaulError, match=f'^{path}: cannot be read .*directory'):
        found.read(0)


def test_records_json_of_other_shards_is_refused(copied):
    path = copied / 'records.json'
    values = json.loads(path.read_text())
    values['shards']['train'][0]['examples'] += 1
    path.write_text(json.dumps(values))
    with pytest.raises(LonghaulError, match='train-00000-of-00001.index: has .* need'):
        reader(copied)
