"""The GRU baseline against a slow unroll in float64, written from the definition of a GRU."""

import numpy as np
import pytest
import tensorflow as tf
from quick import quick_or_long

from trainer.bptt.sequences import Sequences, all_columns
from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.baselines import gru
from trainer.models.baselines.gru import GRUClassifier
from trainer.models.baselines.objective import SupervisedObjective
from trainer.models.batch import Batch

SIZES = ModelConfig(architecture='gru', embedding_units=5, hidden_units=6, head_units=7)
CLASSES, VOCABULARY, CHANNELS = 4, 9, 3
LABELS = [1, 3, -1, 0]


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch):
    """So that a prefix of a few steps is a short piece and several whole ones."""
    monkeypatch.setattr(gru, '_PIECE_STEPS', 4)


def build(rows, dtype=tf.float64):
    """A model whose biases are not zero, so that each of them counts."""
    model = GRUClassifier(SIZES, input_rows=rows, classes=CLASSES, seed=3, dtype=dtype)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if 'bias' in variable.name:
            variable.assign(rng.normal(size=variable.shape) * 0.5)
    return model


def images(total=13, rows=4):
    values = np.random.default_rng(1).integers(0, 256, [rows, total, CHANNELS], np.uint8)
    return to_batch(values, None, LABELS[:rows])


def texts(total=13, lengths=(13, 9, 3, 1)):
    """Right-aligned ids; what stands in the padding must not matter."""
    ids = np.random.default_rng(2).integers(0, VOCABULARY, [len(lengths), total])
    return to_batch(ids.astype(np.uint8), lengths, LABELS[: len(lengths)])


def to_batch(inputs, lengths, labels):
    nothing = tf.zeros([len(inputs), 1], tf.int32)
    lengths = None if lengths is None else tf.constant(lengths, tf.int32)
    return Batch(tf.constant(inputs), lengths, tf.constant(labels), nothing, nothing, nothing)


def losses_and_gradients(model, batch, bptt_steps, **options):
    objective = SupervisedObjective(ObjectiveConfig(supervised_bptt_steps=bptt_steps), 20)

    @tf.function(autograph=False, **options)
    def compute():
        with tf.GradientTape() as tape:
            losses = objective.losses(model, batch)
            total = objective.total(losses, len(batch.inputs))
        return losses, tape.gradient(
            total, model.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )

    losses, gradients = compute()
    assert losses.reconstruction.shape == losses.prediction.shape == losses.supervised.shape
    names = [v.name for v in model.trainable_variables]
    return losses.supervised.numpy(), dict(zip(names, gradients, strict=True))


def unrolled(model, batch, bptt_steps):
    """Losses and gradients row by row and step by step, the state cut before the last S steps."""
    v = {variable.name.removesuffix(':0'): variable for variable in model.trainable_variables}
    total = batch.inputs.shape[1]

    def dense(x, name):
        return tf.linalg.matvec(v[f'{name}/kernel'], x, transpose_a=True) + v[f'{name}/bias']

    def step(x, h):
        kernel, recurrent, bias = (
            v[f'gru_cell/{n}'] for n in ('kernel', 'recurrent_kernel', 'bias')
        )
        from_x = tf.split(tf.linalg.matvec(kernel, x, transpose_a=True) + bias[0], 3)
        from_h = tf.split(tf.linalg.matvec(recurrent, h, transpose_a=True) + bias[1], 3)
        update = 1 / (1 + tf.exp(-(from_x[0] + from_h[0])))
        reset = 1 / (1 + tf.exp(-(from_x[1] + from_h[1])))
        return update * h + (1 - update) * tf.tanh(from_x[2] + reset * from_h[2])

    def loss(row):
        h = tf.zeros([SIZES.hidden_units], tf.float64)
        begin = 0 if batch.lengths is None else total - int(batch.lengths[row])
        for t in range(begin, total):
            if t == total - bptt_steps:
                h = tf.stop_gradient(h)
            x = batch.inputs[row, t].numpy()
            if x.ndim:
                x = tf.reduce_sum(v['embedding'] * (x / 255.0)[:, np.newaxis], axis=0)
            else:
                x = v['embedding'][int(x)]
            h = step(x, h)
        if bptt_steps == 0:
            h = tf.stop_gradient(h)
        x = tf.maximum(dense(h, 'classifier/hidden_1'), 0)
        logits = dense(tf.maximum(dense(x, 'classifier/hidden_2'), 0), 'classifier/output')
        label = int(batch.labels[row])
        return -tf.math.log_softmax(logits)[label] if label >= 0 else tf.reduce_sum(logits) * 0

    with tf.GradientTape() as tape:
        losses = tf.stack([loss(row) for row in range(len(batch.inputs))])
        mean = tf.reduce_mean(losses)
    gradients = tape.gradient(mean, v, unconnected_gradients=tf.UnconnectedGradients.ZERO)
    return losses.numpy(), {f'{k}:0': tf.convert_to_tensor(g) for k, g in gradients.items()}


CASES = {'images': (images, CHANNELS), 'texts': (texts, VOCABULARY)}


@pytest.mark.parametrize('kind', CASES)
@pytest.mark.parametrize('bptt_steps', quick_or_long([0, 1, 4, 11, 300], [0, 4, 300]))
def test_losses_and_gradients_are_those_of_an_unroll(kind, bptt_steps):
    make, rows = CASES[kind]
    model, batch = build(rows), make()
    got_losses, got = losses_and_gradients(model, batch, bptt_steps)
    want_losses, want = unrolled(model, batch, bptt_steps)
    np.testing.assert_allclose(got_losses, want_losses, rtol=1e-12)
    assert got.keys() == want.keys()
    for name, gradient in want.items():
        np.testing.assert_allclose(got[name], gradient, rtol=1e-9, atol=1e-14, err_msg=name)


@pytest.mark.parametrize('kind', CASES)
def test_each_step_of_gradient_counts(kind):
    """Guards the test above: a cut moved by one step is more than a thousandth of the gradient."""
    make, rows = CASES[kind]
    model, batch = build(rows), make()
    name = 'gru_cell/recurrent_kernel:0'
    three, four = (unrolled(model, batch, n)[1][name].numpy() for n in (3, 4))
    assert np.linalg.norm(four - three) > 1e-3 * np.linalg.norm(four)


# Both kinds are experiments, which tests/trainer/test_xla.py compiles as well.
@pytest.mark.parametrize('kind', ['images', pytest.param('texts', marks=pytest.mark.long)])
def test_xla_compiles_it_with_static_shapes(kind):
    make, rows = CASES[kind]
    model, batch = build(rows, tf.float32), make()
    want_losses, want = losses_and_gradients(model, batch, 4)
    got_losses, got = losses_and_gradients(model, batch, 4, jit_compile=True)
    np.testing.assert_allclose(got_losses, want_losses, rtol=1e-5)
    for name, gradient in want.items():
        np.testing.assert_allclose(got[name], gradient, rtol=1e-4, atol=1e-6, err_msg=name)


def operations(total, bptt_steps):
    """Those of a gradient function and of all that it calls."""
    model, batch = build(CHANNELS, tf.float32), images(total)
    objective = SupervisedObjective(ObjectiveConfig(supervised_bptt_steps=bptt_steps), 20)

    @tf.function(autograph=False)
    def compute(batch):
        with tf.GradientTape() as tape:
            loss = objective.total(objective.losses(model, batch), 4)
        return tape.gradient(loss, model.trainable_variables)

    graph = compute.get_concrete_function(batch).graph
    names = [f.signature.name for f in graph.as_graph_def().library.function]
    called = [graph._get_function(name).graph for name in names]
    return [op for g in (graph, *called) for op in g.get_operations()]


def test_nothing_of_the_prefix_is_kept():
    """No float tensor is as long as the sequence, and no loop stacks more than without a prefix."""
    total, bptt_steps, rows = 400, 8, 4
    found = operations(total, bptt_steps)
    floats = [x for op in found for x in op.outputs if x.dtype.is_floating]
    # Of unknown shape is cuDNN's form of the layer, which a GPU would run instead.
    sizes = [x.shape.num_elements() or 0 for x in floats]
    assert bptt_steps * rows * SIZES.embedding_units in sizes
    assert max(sizes) < total * rows
    stacked = [
        sum(op.type == 'TensorListPushBack' for op in ops)
        for ops in (found, operations(bptt_steps, bptt_steps))
    ]
    assert stacked[0] == stacked[1] > 0


def test_initial_values_are_a_function_of_the_seed():
    def values(seed):
        model = GRUClassifier(SIZES, input_rows=3, classes=CLASSES, seed=seed)
        return {v.name: v.numpy() for v in model.trainable_variables}

    one, same, other = values(1), values(1), values(2)
    for name, value in one.items():
        np.testing.assert_array_equal(same[name], value)
        assert (other[name] == value).all() == ('bias' in name), name


@pytest.mark.parametrize('kind', ['values', 'ids'])
@pytest.mark.parametrize('cut', [0, 1, 6, 13])
def test_chunks_give_the_state_of_the_layer(kind, cut):
    """`advance` against tf_keras's layer, in float64, whatever stands behind a row's steps."""
    total, lengths = 13, np.array([13, 9, 3, 0], np.int32)
    rng = np.random.default_rng(5)
    if kind == 'ids':
        model, inputs = build(VOCABULARY), rng.integers(0, VOCABULARY, [4, total], np.uint8)
    else:
        model, inputs = build(CHANNELS), rng.integers(0, 256, [4, total, CHANNELS], np.uint8)
    right = np.zeros_like(inputs)
    for row, length in enumerate(lengths):
        right[row, total - length :] = inputs[row, :length]
    want = model.encode(model.sequences(tf.constant(right), tf.constant(lengths)))
    columns = Sequences(tf.constant(inputs), dtype=tf.float64)
    state = tf.zeros([4, SIZES.hidden_units], tf.float64)
    for begin, end in ((0, cut), (cut, total)):
        own = np.clip(lengths - begin, 0, end - begin)
        chunk = all_columns(columns._replace(inputs=columns.inputs[:, begin:end]))
        state = model.advance({'h': state}, chunk, tf.constant(own, tf.int32))['h']
    np.testing.assert_allclose(state, want, atol=1e-12)
