"""One record: its very bytes, and what a batch of them becomes."""

import numpy as np
import pytest
import source_data
import tensorflow as tf

from pipelines.format import anchors, examples, records
from pipelines.format.serializing import serialize_examples
from pipelines.format.spec import SequenceSpec, signal_spec, text_spec


def info(spec, *, sets=2, k=1):
    return records.RecordsInfo(
        spec=spec,
        segment_steps=3,
        auxiliary_steps=1,
        anchors_per_sequence=k,
        anchor_sets=sets,
        seed=0,
        class_names=(),
        shards={},
        counts={},
        lengths={},
    )


def drawn(sets=2, k=1, first=0):
    count = sets * k
    return anchors.AnchorSets(
        *(
            np.arange(first + i * count, first + (i + 1) * count).reshape(1, sets, k)
            for i in range(3)
        )
    )


def serialized(values, *, example_id='a', label=0, **shape):
    (found,) = serialize_examples(
        ids=[example_id],
        labels=[label],
        values=[np.asarray(values)],
        anchors=drawn(**shape),
        segment_steps=3,
    )
    return found


# Written down once: tag, length, value of every field, keys in alphabetical order.
GOLDEN = bytes.fromhex(
    '0a91010a190a02696412130a110a0f747261696e2f6361742f312e706e67'  # id: train/cat/1.png
    '0a0e0a056c6162656c12051a030a0102'  # label: 2
    '0a0f0a066c656e67746812051a030a0103'  # length: 3
    '0a130a09705f616e63686f727312061a040a020100'  # p_anchors: 1, 0
    '0a130a09725f616e63686f727312061a040a020203'  # r_anchors: 2, 3
    '0a120a08725f73746172747312061a040a020001'  # r_starts: 0, 1
    '0a150a087365676d656e747312090a070a01010a0202ff'  # segments: 01, 02 ff
)


def test_golden_bytes():
    found = serialize_examples(
        ids=['train/cat/1.png'],
        labels=[2],
        values=[np.array([[1], [2], [255]], np.uint8)],
        anchors=anchors.AnchorSets(
            r_anchors=np.array([[[2], [3]]]),
            r_starts=np.array([[[0], [1]]]),
            p_anchors=np.array([[[1], [0]]]),
        ),
        segment_steps=2,
    )
    assert found == [GOLDEN]


def test_parses_the_golden_bytes():
    batch = examples.parse_examples(
        tf.constant([GOLDEN]), info(text_spec()), padded_steps=tf.constant(4)
    )
    assert batch['id'].numpy().tolist() == [b'train/cat/1.png']
    assert batch['inputs'].numpy().tolist() == [[0, 1, 2, 255]]
    assert batch['r_starts'].numpy().tolist() == [[[0], [1]]]


def test_ids_that_are_no_unicode_keep_their_bytes():
    name = b'caf\xe9.png'.decode('utf-8', 'surrogateescape')
    example = tf.train.Example.FromString(serialized(np.zeros(1, np.uint8), example_id=name))
    assert example.features.feature['id'].bytes_list.value[0] == b'caf\xe9.png'


@pytest.mark.parametrize('graph', [False, True], ids=['eager', 'graph'])
@pytest.mark.parametrize('padded', [7, 9])
def test_documents_end_where_the_batch_ends(padded, graph):
    texts = [b'g', b'abc', b'abcdefg', b'wxyz']
    rows = [
        serialized(np.frombuffer(t, np.uint8), example_id=f'train/{i}', label=i - 1)
        for i, t in enumerate(texts)
    ]

    def parse(serialized):
        return examples.parse_examples(serialized, info(text_spec()), padded_steps=padded)

    if graph:
        parse = tf.function(parse, input_signature=[tf.TensorSpec([None], tf.string)])
    batch = {k: v.numpy() for k, v in parse(tf.constant(rows)).items()}
    assert [bytes(row) for row in batch['inputs']] == [t.rjust(padded, b'\0') for t in texts]
    assert batch['inputs'].dtype == np.uint8
    assert batch['length'].tolist() == [1, 3, 7, 4]
    assert batch['label'].tolist() == [-1, 0, 1, 2]
    assert batch['id'].tolist() == [b'train/0', b'train/1', b'train/2', b'train/3']


def test_documents_longer_than_the_batch_are_refused():
    with pytest.raises(tf.errors.InvalidArgumentError, match='padded_steps is less than'):
        examples.parse_examples(
            tf.constant([serialized(np.zeros(4, np.uint8))]), info(text_spec()), padded_steps=3
        )


@pytest.mark.parametrize(
    ('dtype', 'values'), [('uint16', [1, 500, 65535]), ('float16', [0.5, -2, 1e-4])]
)
def test_wider_values_are_padded_by_whole_values(dtype, values):
    values = np.array(values, dtype)
    spec = SequenceSpec('text', tokens='bytes', vocabulary_size=9, dtype=dtype)
    batch = examples.parse_examples(
        tf.constant([serialized(values), serialized(values[:1])]), info(spec), padded_steps=5
    )
    expected = np.array([[0, 0, *values], [0, 0, 0, 0, values[0]]], dtype)
    np.testing.assert_array_equal(batch['inputs'], expected)
    assert batch['inputs'].dtype == dtype


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('dtype', ['uint8', 'float16'])
def test_signals_are_padded_by_whole_steps(dtype, channels):
    spec = signal_spec(dtype=dtype, channels=channels)
    values = np.random.RandomState(0).uniform(1, 99, [5, channels]).astype(dtype)
    rows = [serialized(values), serialized(values[:1])]
    parse = tf.function(
        lambda rows, padded: examples.parse_examples(rows, info(spec), padded_steps=padded)
    )
    batch = parse(tf.constant(rows), tf.constant(6))
    expected = np.zeros([2, 6, channels], dtype)
    expected[0, 1:], expected[1, 5:] = values, values[:1]
    np.testing.assert_array_equal(batch['inputs'], expected)
    assert batch['inputs'].dtype == dtype


@pytest.mark.parametrize('channels', [1, 3])
def test_images_keep_their_channels(channels):
    pixels = np.random.RandomState(0).randint(0, 256, (2, 4, channels)).astype(np.uint8)
    spec = SequenceSpec('image', image_size=2, channels=channels)
    batch = examples.parse_examples(
        tf.constant([serialized(p) for p in pixels]), info(spec), padded_steps=4
    )
    np.testing.assert_array_equal(batch['inputs'], pixels)
    assert batch['inputs'].shape == [2, 4, channels]


def test_anchors_are_by_set_and_number():
    rows = [serialized(np.zeros(4, np.uint8), sets=2, k=3, first=f) for f in (0, 100)]
    batch = examples.parse_examples(
        tf.constant(rows), info(text_spec(), sets=2, k=3), padded_steps=4
    )
    for name, first in (('r_anchors', 0), ('r_starts', 6), ('p_anchors', 12)):
        numbers = np.arange(first, first + 6).reshape(2, 3)
        np.testing.assert_array_equal(batch[name], [numbers, numbers + 100])
        assert batch[name].dtype == tf.int32


def test_parses_what_the_job_wrote(text_records):
    found = records.read_info(text_records)
    stored = source_data.examples(text_records, 'train')
    rows = list(tf.data.TFRecordDataset(f'{text_records}/train-00000-of-00001.tfrecord'))
    batch = examples.parse_examples(tf.stack(rows), found, padded_steps=100)
    for i, example in enumerate(stored):
        assert batch['id'][i].numpy().decode() == example.id
        assert bytes(batch['inputs'][i].numpy()) == example.values.rjust(100, b'\0')
        assert tuple(batch['p_anchors'][i].numpy().reshape(-1)) == example.p_anchors
