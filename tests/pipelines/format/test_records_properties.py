"""Shards, their index and records.json: what was written comes back, and damage is refused."""

import functools
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st
from properties import damaged, holds, outcome

from pipelines.format import anchors, examples, records, segments
from pipelines.format.errors import LonghaulError
from pipelines.format.frames import INDEX_DTYPE, frame
from pipelines.format.index import RecordReader
from pipelines.format.segments import split_segments
from pipelines.format.serializing import serialize_examples
from pipelines.format.spec import SequenceSpec, signal_spec, text_spec

NAME = 'train-00000-of-00001'
SETS, K = 2, 3
SPECS = {
    'bytes': text_spec(),
    'characters': SequenceSpec('text', dtype='uint16', tokens='bytes', vocabulary_size=9),
    'signals': signal_spec(dtype='float16', channels=3),
}


def info(spec, segment_steps=4, **shard):
    return records.RecordsInfo(
        spec=spec,
        segment_steps=segment_steps,
        auxiliary_steps=1,
        anchors_per_sequence=K,
        anchor_sets=SETS,
        seed=0,
        class_names=('a', 'b'),
        shards={'train': [{'name': NAME, **shard}]},
        counts={},
        lengths={},
    )


@functools.cache
def parser(kind):
    """Traced once for each kind."""
    signature = [tf.TensorSpec([None], tf.string), tf.TensorSpec([], tf.int32)]
    return tf.function(
        lambda rows, steps: examples.parse_examples(rows, info(SPECS[kind]), padded_steps=steps),
        input_signature=signature,
    )


# Names of files need be no Unicode.
ids = st.one_of(st.text(), st.binary().map(lambda b: b.decode('utf-8', 'surrogateescape')))
int32 = st.integers(-(2**31), 2**31 - 1)


@st.composite
def rows(draw, kind):
    """What goes into one record: id, label, values, and 3 * SETS * K anchors."""
    spec = SPECS[kind]
    width = spec.channels * np.dtype(spec.dtype).itemsize
    steps = draw(st.integers(1, 9))
    data = draw(st.binary(min_size=steps * width, max_size=steps * width))
    values = np.frombuffer(data, spec.dtype).reshape([steps, *spec.step_shape])
    drawn = draw(st.lists(int32, min_size=3 * SETS * K, max_size=3 * SETS * K))
    return draw(ids), draw(int32), values, np.array(drawn).reshape([3, 1, SETS, K])


def serialized(row, segment_steps=4):
    example_id, label, values, drawn = row
    (found,) = serialize_examples(
        ids=[example_id],
        labels=[label],
        values=[values],
        anchors=anchors.AnchorSets(*drawn),
        segment_steps=segment_steps,
    )
    return found


def message(row, segment_steps=4):
    """What TensorFlow's own message of the same example holds."""
    example_id, label, values, drawn = row
    feature = (example := tf.train.Example()).features.feature
    feature['id'].bytes_list.value.append(example_id.encode('utf-8', 'surrogateescape'))
    feature['label'].int64_list.value.append(label)
    feature['length'].int64_list.value.append(len(values))
    feature['segments'].bytes_list.value.extend(split_segments(values, segment_steps))
    for name, numbers in zip(anchors.AnchorSets._fields, drawn, strict=True):
        feature[name].int64_list.value.extend(numbers.reshape(-1).tolist())
    return example.SerializeToString(deterministic=True)


@holds(
    60,
    kind=st.sampled_from([*SPECS]),
    data=st.data(),
    segment_steps=st.integers(1, 300),
    times=st.sampled_from([1, 100, 3000]),
)
def test_bytes_are_those_of_the_message(kind, data, segment_steps, times):
    example_id, label, values, drawn = data.draw(rows(kind))
    row = (example_id, label, np.concatenate([values] * times), drawn)
    assert serialized(row, segment_steps) == message(row, segment_steps)


def shard_of(content, segment_steps=4):
    """(payloads, bytes of the shard, bytes of its index)."""
    payloads, data, table = [serialized(row, segment_steps) for row in content], b'', []
    for row, payload in zip(content, payloads, strict=True):
        count = segments.segment_count(len(row[2]), segment_steps)
        table.append((len(data), len(payload), count, len(row[2]), anchors.id_hash(row[0])))
        data += frame(payload)
    return payloads, data, np.array(table, INDEX_DTYPE).tobytes()


def opened(folder, data, table, count, size=None):
    """The reader of a shard; `size`: what records.json says of it."""
    (Path(folder) / f'{NAME}.tfrecord').write_bytes(data)
    (Path(folder) / f'{NAME}.index').write_bytes(table)
    size = len(data) if size is None else size
    return RecordReader(folder, 'train', info(text_spec(), examples=count, bytes=size))


def read_or_refused(reader):
    """By record: its payload, or None for a refusal that names the record's place."""
    found = []
    for i, entry in enumerate(reader.entries):
        payload, error = outcome(LonghaulError, reader.read, i)
        assert error is None or f'damaged record at offset {entry["offset"]} ' in str(error)
        found.append(payload)
    return found


SHARD = shard_of(
    [
        (f'é{i}', i, np.arange(3 * i + 1, dtype=np.uint8), np.ones([3, 1, SETS, K], int))
        for i in range(5)
    ]
)
STARTS = np.frombuffer(SHARD[2], INDEX_DTYPE)['offset']


@holds(
    60,
    kind_and_rows=st.sampled_from(sorted(SPECS)).flatmap(
        lambda kind: st.tuples(st.just(kind), st.lists(rows(kind), min_size=1, max_size=4))
    ),
    segment_steps=st.integers(1, 10),
)
def test_what_is_written_comes_back(kind_and_rows, segment_steps):
    kind, content = kind_and_rows
    payloads, data, table = shard_of(content, segment_steps)
    with tempfile.TemporaryDirectory() as folder:
        reader = opened(folder, data, table, len(content))
        # Offsets lead to whole records, which TensorFlow's own reader finds one after another.
        assert reader.read_batch(range(len(reader))) == payloads
        assert list(tf.data.TFRecordDataset(reader.paths).as_numpy_iterator()) == payloads
    longest = max(len(values) for _, _, values, _ in content)
    batch = parser(kind)(tf.constant(payloads), tf.constant(longest + 1))
    for i, (example_id, label, values, drawn) in enumerate(content):
        assert batch['id'][i].numpy().decode('utf-8', 'surrogateescape') == example_id
        assert (batch['label'][i], batch['length'][i]) == (label, len(values))
        # Bytes: values may be NaN.
        stored = batch['inputs'][i].numpy()
        assert stored[-len(values) :].tobytes() == values.tobytes()
        assert not any(stored[: -len(values)].tobytes())
        for name, want in zip(('r_anchors', 'r_starts', 'p_anchors'), drawn, strict=True):
            np.testing.assert_array_equal(batch[name][i], want[0])


@holds(100, bit=st.integers(0, 8 * len(SHARD[1]) - 1))
def test_the_checksum_finds_a_flipped_bit(bit):
    payloads, data, table = SHARD
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    hit = int(np.searchsorted(STARTS, bit // 8, side='right')) - 1
    with tempfile.TemporaryDirectory() as folder:
        found = read_or_refused(opened(folder, bytes(flipped), table, len(payloads)))
    assert found == [None if i == hit else p for i, p in enumerate(payloads)]


@holds(
    120, data=damaged(st.just(SHARD[1])), table=damaged(st.just(SHARD[2])), which=st.integers(0, 2)
)
def test_a_damaged_shard_or_index_never_gives_another_record(data, table, which):
    payloads, sound, index = SHARD
    data, table = (sound if which == 0 else data), (index if which == 1 else table)
    with tempfile.TemporaryDirectory() as folder:
        reader, error = outcome(LonghaulError, opened, folder, data, table, len(payloads))
        assert error is None or '--overwrite' in str(error)
        if error:
            return
        for found, payload in zip(read_or_refused(reader), payloads, strict=True):
            assert found in (None, payload)


@holds(40, data=damaged(st.just(SHARD[1])))
def test_a_shard_of_another_size_is_refused(data):
    payloads, sound, table = SHARD
    with tempfile.TemporaryDirectory() as folder:
        if len(data) == len(sound):
            return
        with pytest.raises(LonghaulError, match=f'has {len(data)} bytes, records.json says'):
            opened(folder, data, table, len(payloads), size=len(sound))


FEATURES = {
    'bytes': lambda values: tf.train.Feature(bytes_list=tf.train.BytesList(value=values)),
    'ints': lambda values: tf.train.Feature(int64_list=tf.train.Int64List(value=values)),
}
features = st.one_of(
    st.lists(st.binary(max_size=9), max_size=3).map(FEATURES['bytes']),
    st.lists(st.integers(-(2**63), 2**63 - 1), max_size=7).map(FEATURES['ints']),
)
NAMES = ('id', 'label', 'length', 'segments', 'r_anchors', 'r_starts', 'p_anchors')


@holds(100, changes=st.dictionaries(st.sampled_from(NAMES), st.none() | features, max_size=3))
def test_an_example_that_lacks_something_is_an_error_of_the_graph(changes):
    example = tf.train.Example.FromString(SHARD[0][0])
    for name, feature in changes.items():
        example.features.feature.pop(name)
        if feature is not None:
            example.features.feature[name].CopyFrom(feature)
    rows = tf.constant([example.SerializeToString()])
    batch, error = outcome(tf.errors.InvalidArgumentError, parser('bytes'), rows, tf.constant(30))
    whole = b''.join(example.features.feature['segments'].bytes_list.value)
    assert error or batch['inputs'][0].numpy().tobytes() == whole.rjust(30, b'\0')


VALUES = json.loads(info(text_spec(), examples=1, bytes=2).to_json())
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)
    ),
    max_leaves=5,
)


@st.composite
def descriptions(draw):
    """records.json with some values of another kind, missing or new."""
    values = json.loads(json.dumps(VALUES))
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from([values, values, values['spec']]))
        if not isinstance(place, dict):
            continue
        key = draw(st.sampled_from([*sorted(place), 'vocabulary', 'permutation', 'new']))
        if draw(st.booleans()):
            place.pop(key, None)
        else:
            place[key] = draw(anything)
        if not isinstance(values.get('spec'), dict):
            break
    return json.dumps(values).encode()


@holds(
    150,
    data=st.one_of(
        descriptions(),
        damaged(descriptions(), favourites=b'[]{}",:\\0'),
        st.integers(1, 100_000).map(lambda n: b'[' * n),
    ),
)
def test_records_json_is_read_or_refused(data):
    found, error = outcome(LonghaulError, records.parse_info, data, 'some/records.json')
    if error:
        assert str(error).startswith('some/records.json: ')
    else:
        # As text: NaN is not equal to itself.
        assert json.dumps(found.options) == json.dumps(json.loads(data).get('options', {}))
