"""The signatures of exported models: whole sequences, and sequences in chunks."""

import exports
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from pipelines.format import sequences
from trainer.serving import decoding, encoders, module

RECURRENT = [kind for kind in exports.KINDS if kind != 'transformer']
WITH_DECODER = [kind for kind in RECURRENT if kind != 'bytes']
WHOLE = {'serving_default', 'decode', 'tokens', 'encode'}
STREAMED = {'start', 'advance', 'classify'}


@pytest.fixture(scope='module')
def loaded(exported):
    found = {}

    def load(kind):
        if kind not in found:
            found[kind] = exports.Loaded(exported(kind))
        return found[kind]

    return load


@pytest.mark.parametrize('kind', exports.KINDS)
def test_each_architecture_has_its_signatures(loaded, kind):
    wanted = WHOLE | (set() if kind == 'transformer' else STREAMED)
    wanted |= {'recall'} if kind in WITH_DECODER else set()
    assert {n for n in loaded(kind).signatures if not n.startswith('__')} == wanted


@pytest.mark.parametrize('kind', exports.KINDS)
def test_raw_items_are_answered_as_the_trainer_would(loaded, kind):
    """Against the job's decode and the trainer's own reading of right-aligned batches."""
    spec, model, items = exports.SPECS[kind], exports.model_of(kind), exports.items_of(kind, 5)
    found = loaded(kind).call('serving_default', data=items)
    assert list(found['readable']) == [True] * 5
    for i, item in enumerate(items):
        steps = sequences.decode(tf.constant(item), spec)[tf.newaxis]
        logits = model.classifier(model.encode(model.sequences(steps, None)))
        want = tf.nn.softmax(logits)[0].numpy()
        np.testing.assert_allclose(found['probabilities'][i], want, atol=1e-5)
        assert found['class_index'][i] == want.argmax()
        assert found['class_name'][i].decode() == exports.CLASSES[want.argmax()]


@pytest.mark.parametrize('kind', exports.KINDS)
def test_the_top_classes_are_the_most_probable_ones(loaded, kind):
    found = loaded(kind).call('serving_default', data=exports.items_of(kind, 3))
    assert found['probabilities'].shape == (3, 7)
    assert found['top_class_names'].shape == found['top_probabilities'].shape == (3, 5)
    for i, row in enumerate(found['probabilities']):
        order = np.argsort(-row)[:5]
        np.testing.assert_array_equal(found['top_probabilities'][i], row[order])
        names = [name.decode() for name in found['top_class_names'][i]]
        assert names == [exports.CLASSES[k] for k in order]
    assert len({row.argmax() for row in found['probabilities']} | {-1}) > 1


@pytest.mark.parametrize('kind', exports.KINDS)
def test_an_item_that_cannot_be_read_spoils_nothing(loaded, kind):
    items = exports.items_of(kind, 3)
    good = loaded(kind).call('serving_default', data=items)
    mixed = loaded(kind).call('serving_default', data=[items[0], b'', items[1], items[2]])
    assert list(mixed['readable']) == [True, False, True, True]
    assert mixed['class_name'][1] == b''
    assert mixed['class_index'][1] == -1
    assert not mixed['probabilities'][1].any()
    assert not mixed['top_probabilities'][1].any()
    assert set(mixed['top_class_names'][1]) == {b''}
    for name in ('probabilities', 'class_index'):
        np.testing.assert_allclose(mixed[name][[0, 2, 3]], good[name], atol=1e-5)
    none = loaded(kind).call('serving_default', data=[b'', b''])
    assert not none['readable'].any()
    assert loaded(kind).call('serving_default', data=tf.zeros([0], tf.string))['readable'].size == 0


@pytest.mark.parametrize('kind', ['bytes', 'characters'])
def test_texts_are_read_as_the_job_reads_them(loaded, kind):
    text = 'größe 猫'
    items = [text.encode(), text.encode('utf-16'), text.encode('utf-32'), 'größe'.encode('cp1252')]
    found = loaded(kind).call('serving_default', data=[*items, b'\xff', b' \n'])
    assert list(found['readable']) == [True] * 3 + [False] * 3
    np.testing.assert_allclose(found['probabilities'][1:3], found['probabilities'][[0, 0]])


def test_a_state_that_no_sequence_leads_to_is_not_readable(loaded):
    state = loaded('image').call('start', batch_size=np.int32(2))
    far = {name: np.array(t) for name, t in state.items()}
    for values in far.values():
        values[1] = 3e38
    found = loaded('image').call('classify', **far)
    assert list(found['readable']) == [True, False]
    assert (found['class_name'][1], found['class_index'][1]) == (b'', -1)
    assert not found['probabilities'][1].any()
    assert np.isfinite(found['probabilities']).all()


@pytest.mark.parametrize('kind', exports.KINDS)
def test_decode_gives_what_tokens_takes(loaded, kind):
    items, spec = exports.items_of(kind, 4), exports.SPECS[kind]
    decoded = loaded(kind).call('decode', data=items)
    assert decoded['inputs'].dtype == spec.dtype
    assert decoded['lengths'].dtype == np.int32
    for i, item in enumerate(items):
        want = sequences.decode(tf.constant(item), spec).numpy()
        np.testing.assert_array_equal(decoded['inputs'][i, : decoded['lengths'][i]], want)
    raw = loaded(kind).call('serving_default', data=items)
    chunk = {name: decoded[name] for name in ('inputs', 'lengths')}
    said = loaded(kind).call('tokens', **chunk)
    assert list(said['class_name']) == list(raw['class_name'])
    # Attention's products are not one per step, and two graphs may order them differently.
    atol = 1e-5 if kind == 'transformer' else 0
    np.testing.assert_allclose(said['probabilities'], raw['probabilities'], atol=atol, rtol=0)
    # What stands behind a row's steps is never read.
    wider = np.concatenate([chunk['inputs'], np.ones_like(chunk['inputs'][:, :3])], axis=1)
    again = loaded(kind).call('tokens', inputs=wider, lengths=chunk['lengths'])
    np.testing.assert_allclose(again['probabilities'], raw['probabilities'], atol=1e-6)


def random_chunks(random, inputs, lengths):
    """Cuts rows of different lengths at different places: chunks with lengths of their own."""
    at = np.zeros_like(lengths)
    while (at < lengths).any():
        own = np.minimum(random.integers(0, 8, len(lengths)), lengths - at).astype(np.int32)
        chunk = np.zeros([len(lengths), own.max() + random.integers(0, 2), *inputs.shape[2:]])
        for row, (begin, steps) in enumerate(zip(at, own, strict=True)):
            chunk[row, :steps] = inputs[row, begin : begin + steps]
        yield {'inputs': chunk.astype(inputs.dtype), 'lengths': own}
        at = at + own


@pytest.mark.parametrize('kind', RECURRENT)
@pytest.mark.parametrize('seed', range(4))
def test_however_a_sequence_is_cut_the_bits_are_the_same(loaded, kind, seed):
    """Chunks of 0 to 7 steps, each row cut at its own places, some chunks without any column."""
    model, random = loaded(kind), np.random.default_rng(seed)
    items = exports.items_of(kind, 5, seed=seed)
    decoded = model.call('decode', data=items)
    state = model.call('start', batch_size=np.int32(5))
    count = 0
    for chunk in random_chunks(random, decoded['inputs'], decoded['lengths']):
        state = model.call('advance', **chunk, **state)
        count += 1
    assert count > 1
    want = model.call('encode', data=items)
    for name, value in state.items():
        np.testing.assert_array_equal(value, want[name], err_msg=name)
    whole, said = model.call('serving_default', data=items), model.call('classify', **state)
    for name, value in said.items():
        np.testing.assert_array_equal(value, whole[name], err_msg=name)


@pytest.mark.parametrize('kind', RECURRENT)
def test_a_chunk_of_nothing_changes_nothing(loaded, kind):
    model = loaded(kind)
    decoded = model.call('decode', data=exports.items_of(kind, 3))
    state = model.call('start', batch_size=np.int32(3))
    state = model.call('advance', inputs=decoded['inputs'], lengths=decoded['lengths'], **state)
    none = np.zeros([3], np.int32)
    for steps in (0, 2):
        same = model.call('advance', inputs=decoded['inputs'][:, :steps], lengths=none, **state)
        for name, value in same.items():
            np.testing.assert_array_equal(value, state[name])


@pytest.mark.parametrize('kind', exports.KINDS)
def test_other_batch_sizes_give_the_same_within_a_little(loaded, kind):
    items = exports.items_of(kind, 9)
    whole = loaded(kind).call('serving_default', data=items)['probabilities']
    for size in (1, 2, 4):
        parts = [
            loaded(kind).call('serving_default', data=items[i : i + size])['probabilities']
            for i in range(0, 9, size)
        ]
        np.testing.assert_allclose(np.concatenate(parts), whole, atol=1e-5)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def slow_decoder(model, c, h, first, steps):
    """The two-layer decoder on its own, one sequence, float64, written from the paper."""
    bottom, top = model.reconstruction.bottom, model.reconstruction.top
    embedding = model.embedding.numpy().astype(float)
    ids = np.ndim(first) == 0

    def lstm(layer, x, c, h):
        kernels = [w.numpy().astype(float) for w in (layer.kernel, layer.recurrent_kernel)]
        i, f, g, o = np.split(x @ kernels[0] + h @ kernels[1] + layer.bias.numpy(), 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        return c, sigmoid(o) * np.tanh(c)

    def dense(layer, x):
        return x @ layer.kernel.numpy().astype(float) + layer.bias.numpy()

    x, said = first, []
    top_c = top_h = np.zeros_like(c)
    for _ in range(steps):
        c, h = lstm(bottom, embedding[x] if ids else x @ embedding, c, h)
        top_c, top_h = lstm(top, h, top_c, top_h)
        head = model.reconstruction.head
        x = dense(head.output, np.maximum(dense(head.hidden, top_h), 0))
        x = int(x.argmax()) if ids else x
        said.append(x)
    return np.array(said)


@pytest.mark.parametrize('kind', WITH_DECODER)
def test_recall_is_the_decoder_left_to_itself(loaded, kind):
    model, spec = exports.model_of(kind), exports.SPECS[kind]
    items = exports.items_of(kind, 3)
    decoded = loaded(kind).call('decode', data=items)
    state = loaded(kind).call('encode', data=items)
    del state['readable']
    first = decoded['inputs'][:, 0]
    found = loaded(kind).call('recall', first=first, steps=np.int32(20), **state)['values']
    assert found.dtype == spec.dtype
    assert found.shape == (3, 20, *decoded['inputs'].shape[2:])
    scale = 255.0 if spec.dtype == 'uint8' else 1.0
    for row in range(3):
        c, h = state['c'][row].astype(float), state['h'][row].astype(float)
        begin = first[row] / scale if first.ndim == 2 else int(first[row])
        want = slow_decoder(model, c, h, begin, 20)
        if spec.kind == 'image':
            # The decoder reads what it said, the client gets it rounded.
            assert np.abs(found[row].astype(float) - np.clip(want, 0, 1) * 255).max() <= 0.51
        else:
            np.testing.assert_allclose(found[row].astype(float), want, atol=2e-3)
    one = loaded(kind).call('recall', first=first, steps=np.int32(1), **state)['values']
    np.testing.assert_array_equal(one, found[:, :1])


@pytest.mark.parametrize('kind', ['bytes', 'characters'])
def test_texts_are_cut_as_the_job_cuts_them(loaded, kind):
    """Beyond max_steps: the tail, or both ends."""
    most = exports.SPECS[kind].max_steps
    text = 'abc' * 100 + 'é'
    found = loaded(kind).call('decode', data=[text.encode()])
    assert found['lengths'][0] == found['inputs'].shape[1] == most


@pytest.mark.parametrize(
    ('kind', 'values'),
    [('bytes', 100), ('characters', 20), ('image', 200), ('transformer', 100), ('signal', 70)],
)
def test_what_would_take_all_memory_is_refused(monkeypatch, kind, values):
    """By bounds that are lowered here: rows, values in all rows, recalled values."""
    monkeypatch.setattr(decoding, 'MAX_VALUES', values)
    monkeypatch.setattr(module, 'MAX_BATCH', 4)
    monkeypatch.setattr(decoding, 'MAX_BATCH', 4)
    monkeypatch.setattr(module, 'MAX_RECALLED', 100)
    spec = exports.SPECS[kind]
    served = module.ServingModule(exports.model_of(kind), spec, exports.CLASSES)
    item = exports.items_of(kind, 1, seed=1)[0]
    long = {'image': item, 'signal': exports.npy(np.zeros([20, 2], np.float16))}
    long = long.get(kind, b'a' * 60)
    one = served.serve({'data': tf.constant([item])})
    assert one['readable'][0]
    with pytest.raises(tf.errors.InvalidArgumentError, match=f'{values} values are allowed'):
        served.serve({'data': tf.constant([long, b'', *[long] * 2])})
    with pytest.raises(tf.errors.InvalidArgumentError, match='at most 4 items are allowed'):
        served.serve({'data': tf.constant([b''] * 5)})
    five = tf.zeros([5, 1, *spec.step_shape], spec.dtype)
    with pytest.raises(tf.errors.InvalidArgumentError, match='inputs: at most 4 rows'):
        served.tokens({'inputs': five, 'lengths': tf.ones([5], tf.int32)})
    if kind == 'transformer':
        return
    with pytest.raises(tf.errors.InvalidArgumentError, match='batch_size: 1 to 4'):
        served.start({'batch_size': tf.constant(5)})
    if kind in WITH_DECODER:
        state, first = served.start({'batch_size': tf.constant(2)}), five[:2, 0]
        channels = spec.channels
        most = 100 // (2 * channels)
        values = served.recall({**state, 'first': first, 'steps': tf.constant(most)})['values']
        assert values.shape[1] == most
        with pytest.raises(tf.errors.InvalidArgumentError, match='100 values in all rows'):
            served.recall({**state, 'first': first, 'steps': tf.constant(most + 1)})


def test_attention_over_too_much_is_refused(monkeypatch):
    monkeypatch.setattr(encoders, 'MAX_SCORES', 4 * 20 * 20)
    served = module.ServingModule(
        exports.model_of('transformer'), exports.SPECS['transformer'], exports.CLASSES
    )
    assert served.serve({'data': tf.constant([b'a' * 20])})['readable'][0]
    for items in ([b'a' * 21], [b'a' * 20, b'b']):
        with pytest.raises(tf.errors.InvalidArgumentError, match='fewer or shorter items'):
            served.serve({'data': tf.constant(items)})


def test_a_sequence_as_long_as_in_training_is_served_whatever_it_takes():
    model = exports.model_of('transformer')
    long = encoders.WholeEncoder(model, longest=100_000)
    assert long._most == model.config.transformer_heads * 10**10


@pytest.mark.parametrize('kind', exports.KINDS)
def test_the_inputs_are_as_documented(loaded, kind):
    spec, signatures = exports.SPECS[kind], loaded(kind).signatures
    step = spec.step_shape
    said = {
        name: {k: (t.dtype, t.shape) for k, t in f.structured_input_signature[1].items()}
        for name, f in signatures.items()
    }
    for name in ('serving_default', 'decode', 'encode'):
        assert said[name] == {'data': (tf.string, tf.TensorShape([None]))}
    chunk = {
        'inputs': (tf.as_dtype(spec.dtype), tf.TensorShape([None, None, *step])),
        'lengths': (tf.int32, tf.TensorShape([None])),
    }
    assert said['tokens'] == chunk
    if kind == 'transformer':
        return
    names = ['h'] if kind == 'bytes' else ['c', 'h']
    state = {n: (tf.float32, tf.TensorShape([None, exports.UNITS])) for n in names}
    assert said['start'] == {'batch_size': (tf.int32, tf.TensorShape([]))}
    assert said['advance'] == state | chunk
    assert said['classify'] == state


@pytest.mark.parametrize('kind', exports.KINDS)
def test_the_graph_asks_for_no_device_and_no_compiler(exported, kind):
    """It runs on a CPU and on a GPU, whatever it was trained on."""
    saved = saved_model_pb2.SavedModel()
    with open(f'{exported(kind)}/saved_model.pb', 'rb') as file:
        saved.ParseFromString(file.read())
    (graph,) = (meta.graph_def for meta in saved.meta_graphs)
    # What the signatures call; tf_keras's layers bring functions of their own, which nothing does.
    functions = {f.signature.name: f for f in graph.library.function}
    nodes, called = list(graph.node), set()
    for node in nodes:
        for value in node.attr.values():
            for name in {value.func.name, *(f.name for f in value.list.func)} - {''} - called:
                called.add(name)
                nodes.extend(functions[name].node_def)
    assert len(nodes) > 1000
    # Checkpoints and data sets are of a CPU, which any machine has.
    assert {node.device for node in nodes if 'CPU' not in node.device} == {''}
    assert not [node.op for node in nodes if 'Cudnn' in node.op or 'Xla' in node.op]
    assert not [name for name in called if functions[name].attr['_XlaMustCompile'].b]


def test_a_wrong_type_is_named(loaded):
    with pytest.raises(tf.errors.InvalidArgumentError, match='expected to be a string tensor'):
        loaded('bytes').call('serving_default', data=[1.0])
