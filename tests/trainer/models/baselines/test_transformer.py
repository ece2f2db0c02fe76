"""The Transformer baseline against its definition in numpy, and what must not matter to it."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.baselines.objective import SupervisedObjective
from trainer.models.baselines.transformer import TransformerClassifier
from trainer.models.batch import Batch

HEADS, UNITS, EPSILON = 2, 8, 1e-6
SIZES = ModelConfig(
    architecture='transformer',
    embedding_units=UNITS,
    head_units=7,
    transformer_layers=2,
    transformer_heads=HEADS,
    transformer_inner_units=5,
)
CLASSES, VOCABULARY, CHANNELS = 4, 9, 3


def build(rows, seed=3):
    """A model none of whose weights stands at a value that would hide it."""
    model = TransformerClassifier(SIZES, input_rows=rows, classes=CLASSES, seed=seed)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:
        if not variable.name.endswith('kernel:0') and 'embedding' not in variable.name:
            variable.assign_add(rng.normal(size=variable.shape).astype(np.float32) * 0.3)
    return model


def logits(model, inputs, lengths=None):
    lengths = None if lengths is None else tf.constant(lengths, tf.int32)
    return model.classifier(model.encode(model.sequences(tf.constant(inputs), lengths))).numpy()


def random_images(total=11, rows=3):
    return np.random.default_rng(1).integers(0, 256, [rows, total, CHANNELS], np.uint8)


def random_texts(total=11, rows=3):
    return np.random.default_rng(2).integers(0, VOCABULARY, [rows, total]).astype(np.uint8)


def weights(model):
    return {v.name.removesuffix(':0'): v.numpy().astype(float) for v in model.trainable_variables}


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def normalised(x, v, name):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return centred / deviation * v[f'{name}/gamma'] + v[f'{name}/beta']


def attended(x, v, name):
    """[T, E] -> [T, E], query by query and head by head."""

    def projected(role, vector, head):
        return vector @ v[f'{name}/{role}/kernel'][:, head] + v[f'{name}/{role}/bias'][head]

    out = np.zeros_like(x) + v[f'{name}/attention_output/bias']
    for t in range(len(x)):
        for head in range(HEADS):
            query = projected('query', x[t], head)
            keys = [projected('key', other, head) for other in x]
            shares = softmax(np.array([query @ key for key in keys]) / np.sqrt(UNITS / HEADS))
            values = [projected('value', other, head) for other in x]
            mixed = sum(share * value for share, value in zip(shares, values, strict=True))
            out[t] += mixed @ v[f'{name}/attention_output/kernel'][head]
    return out


def dense(x, v, name):
    return x @ v[f'{name}/kernel'] + v[f'{name}/bias']


def block(x, v, name):
    x = x + attended(
        normalised(x, v, f'{name}/self_attention_layer_norm'), v, f'{name}/self_attention'
    )
    inner = dense(normalised(x, v, f'{name}/output_layer_norm'), v, f'{name}/intermediate')
    return x + dense(np.maximum(inner, 0), v, f'{name}/output')


def defined(model, steps):
    """Logits of one sequence of values [T, C] or ids [T]."""
    v = weights(model)
    x = steps / 255.0 @ v['embedding'] if steps.ndim == 2 else v['embedding'][steps]
    rates = 10000.0 ** -(np.arange(UNITS // 2) / (UNITS // 2 - 1))
    angles = np.arange(len(x))[:, np.newaxis] * rates
    x = x + np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    for name in ('block_0', 'block_1'):
        x = block(x, v, name)
    x = normalised(x, v, 'norm').mean(axis=0)
    x = np.maximum(dense(x, v, 'classifier/hidden_1'), 0)
    return dense(np.maximum(dense(x, v, 'classifier/hidden_2'), 0), v, 'classifier/output')


def test_a_block_is_as_defined():
    model = build(CHANNELS)
    x = np.random.default_rng(4).normal(size=[2, 6, UNITS])
    got = model.blocks[0](tf.constant(x, tf.float32))
    want = [block(row, weights(model), 'block_0') for row in x]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


def test_the_model_is_as_defined():
    model, images = build(CHANNELS), random_images()
    want = [defined(model, row) for row in images]
    np.testing.assert_allclose(logits(model, images), want, rtol=1e-5, atol=1e-5)


def test_documents_are_as_defined_whatever_stands_in_their_padding():
    """Positions count from the first step, and the mean is over real steps alone."""
    model, texts, lengths = build(VOCABULARY), random_texts(), [11, 4, 1]
    want = [defined(model, row[11 - n :]) for row, n in zip(texts, lengths, strict=True)]
    np.testing.assert_allclose(logits(model, texts, lengths), want, rtol=1e-5, atol=1e-5)
    other = texts.copy()
    other[1, :7] = texts[1, 6::-1]
    other[2, :10] = 0
    assert (other != texts).any()
    np.testing.assert_allclose(
        logits(model, other, lengths), logits(model, texts, lengths), rtol=1e-6, atol=1e-6
    )
    more = np.pad(texts, [[0, 0], [6, 0]], constant_values=5)
    np.testing.assert_allclose(
        logits(model, more, lengths), logits(model, texts, lengths), rtol=1e-5, atol=1e-6
    )


def test_positions_matter():
    model, images = build(CHANNELS), random_images()
    swapped = images.copy()
    swapped[:, [2, 7]] = images[:, [7, 2]]
    assert np.abs(logits(model, swapped) - logits(model, images)).max() > 1e-3


def test_initial_values_are_a_function_of_the_seed_and_differ_from_kernel_to_kernel():
    def values(seed):
        model = TransformerClassifier(SIZES, input_rows=3, classes=CLASSES, seed=seed)
        return {v.name: v.numpy() for v in model.trainable_variables}

    one, same, other = values(1), values(1), values(2)
    # 4 attention and 2 feed-forward kernels a block, 3 in the classifier.
    kernels = [name for name in one if name.endswith('kernel:0')]
    assert len(kernels) == 2 * 6 + 3
    for name, value in one.items():
        np.testing.assert_array_equal(same[name], value)
        drawn = name in kernels or name == 'embedding:0'
        assert (other[name] == value).all() == (not drawn), name
    assert len({one[name].tobytes() for name in kernels}) == len(kernels)
    query = one['block_0/self_attention/query/kernel:0']
    limit = np.sqrt(6 / (2 * UNITS))
    assert 0.8 * limit < np.abs(query).max() <= limit


@pytest.mark.parametrize('kind', ['images', 'texts'])
def test_xla_compiles_it_with_static_shapes_and_no_step_is_cut_off(kind):
    model = build(CHANNELS if kind == 'images' else VOCABULARY)
    inputs = random_images() if kind == 'images' else random_texts()
    lengths = None if kind == 'images' else tf.constant([11, 4, 1])
    nothing = tf.zeros([3, 1], tf.int32)
    batch = Batch(tf.constant(inputs), lengths, tf.constant([1, -1, 3]), nothing, nothing, nothing)

    def gradients(bptt_steps, **options):
        objective = SupervisedObjective(ObjectiveConfig(supervised_bptt_steps=bptt_steps), 20)

        @tf.function(autograph=False, **options)
        def compute():
            with tf.GradientTape() as tape:
                losses = objective.losses(model, batch)
                total = objective.total(losses, 3)
            return losses.supervised, tape.gradient(total, model.trainable_variables)

        return compute()

    losses, want = gradients(300)
    assert losses[1] == 0
    compiled, got = gradients(300, jit_compile=True)
    np.testing.assert_allclose(compiled, losses, rtol=1e-5)
    truncated = gradients(2)[1]
    for variable, a, b, c in zip(model.trainable_variables, want, got, truncated, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-6, err_msg=variable.name)
        np.testing.assert_array_equal(c, a, err_msg=variable.name)


def test_sequences_of_unknown_length_and_number_are_encoded_alike():
    """What an export traces: also a row, and a batch, without any step at all."""
    model, texts = build(VOCABULARY), random_texts()

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.uint8), tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    def encode(inputs, lengths):
        return model.encode(model.sequences(inputs, lengths))

    lengths = tf.constant([11, 4, 1])
    want = model.encode(model.sequences(tf.constant(texts), lengths))
    np.testing.assert_allclose(encode(texts, lengths), want, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(encode(texts, tf.constant([11, 4, 0]))[2], np.zeros([UNITS]))
    empty = encode(tf.zeros([2, 0], tf.uint8), tf.constant([0, 0]))
    np.testing.assert_array_equal(empty, np.zeros([2, UNITS]))
