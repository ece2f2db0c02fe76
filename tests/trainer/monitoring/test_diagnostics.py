"""What TensorBoard shows beside the losses; how far gradients reach, against the equations."""

import re

import numpy as np
import pytest
import small_data
import tensorflow as tf
from small_models import READOUTS, small
from whole_runs import execute

from pipelines.format.spec import text_spec
from tools.event_files import read_values
from trainer.bptt.cell import LSTMState
from trainer.models.architectures import make_objective
from trainer.monitoring.diagnostics import Diagnostics
from trainer.monitoring.gradient_reach import gradient_reach


def slow_reach(model, batch, row, *, end, steps, loss_of):
    """Norms for one row, its LSTM written out in equations, differentiated step by step."""
    units = model.config.hidden_units
    kernel = tf.matmul(model.embedding, model.main.kernel)
    values = batch.inputs[row].numpy()
    if batch.lengths is not None:
        values = values[len(values) - int(batch.lengths[row]) :]
    c, h, added = tf.zeros([1, units]), tf.zeros([1, units]), []
    with tf.GradientTape() as tape:
        for t in range(end):
            scale = 255.0 if values.dtype == np.uint8 else np.float32(1)
            x = kernel[values[t]] if values.ndim == 1 else (values[t] / scale) @ kernel.numpy()
            extra = tf.Variable(tf.zeros([1, 4 * units]))
            added.append(extra)
            x = tf.cast(x, tf.float32)
            gates = x + tf.matmul(h, model.main.recurrent_kernel) + model.main.bias + extra
            i, f, g, o = tf.split(gates, 4, axis=1)
            c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
            h = tf.sigmoid(o) * tf.tanh(c)
        loss = loss_of(c, h)
    found = tape.gradient(loss, added)
    return np.array([np.linalg.norm(g) for g in found[end - steps :]])[::-1]


@pytest.mark.parametrize('data', ['digit_records', 'text_records', 'signal_records'])
def test_reach_is_what_the_equations_say(request, data):
    config, model, batch = small(request.getfixturevalue(data))
    reach = {
        k: v.numpy() for k, v in gradient_reach(make_objective(config, 16), model, batch).items()
    }
    assert {k: v.shape for k, v in reach.items()} == {
        'supervised': (20,),
        'reconstruction': (20,),
    }
    rows, total = batch.inputs.shape[:2]
    squares = np.zeros(len(reach['supervised']))
    for row in range(rows):
        length = total if batch.lengths is None else int(batch.lengths[row])
        steps = min(20, length)

        def loss_of(c, h, row=row):
            if batch.labels[row] < 0:
                return tf.zeros([1]) * h[:, 0]
            logits = model.classifier(h)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(
                batch.labels[row : row + 1], logits
            )

        norms = slow_reach(model, batch, row, end=length, steps=steps, loss_of=loss_of)
        squares[:steps] += norms**2
    np.testing.assert_allclose(reach['supervised'], np.sqrt(squares / rows), rtol=1e-4)


def test_reconstructions_reach_is_what_the_equations_say(digit_records):
    config, model, batch = small(digit_records)
    reach = gradient_reach(make_objective(config, 16), model, batch)['reconstruction'].numpy()
    squares, steps = np.zeros(20), config.objective.auxiliary_steps
    for row in range(batch.inputs.shape[0]):
        anchor, start = int(batch.r_anchors[row, 0]), int(batch.r_starts[row, 0])
        columns = batch.inputs[row, start : start + steps].numpy()[:, np.newaxis] / 255.0
        columns = tf.constant(columns, tf.float32)

        def loss_of(c, h, columns=columns, distance=anchor - start):
            embedding = tf.convert_to_tensor(model.embedding)
            begin = model.reconstruction.start(LSTMState(c, h), tf.constant([distance]))
            return model.reconstruction.losses(begin, columns, tf.constant([steps]), embedding)

        within = min(20, anchor)
        norms = slow_reach(model, batch, row, end=anchor, steps=within, loss_of=loss_of)
        squares[:within] += norms**2
    np.testing.assert_allclose(reach, np.sqrt(squares / batch.inputs.shape[0]), rtol=1e-3)


def test_a_readouts_reach_is_what_the_equations_say(digit_records):
    config, model, batch = small(digit_records, *READOUTS, 'ObjectiveConfig.anchors_per_window=1')
    found = gradient_reach(make_objective(config, 16), model, batch)
    assert set(found) == {'supervised', 'reconstruction', 'prediction'}
    squares, distances = np.zeros(20), batch.r_distances.numpy()
    for row in range(batch.inputs.shape[0]):
        end = max(20, int(batch.r_anchors[row, 0]))
        asked = distances[distances <= end]
        columns = tf.cast(batch.inputs[row].numpy()[end - asked], tf.float32) / 255

        def loss_of(c, h, asked=asked, columns=columns):
            said = model.reconstruction(h, tf.constant(asked))[0]
            return tf.reduce_mean((said - columns) ** 2) / model.step_loss.scales[0]

        squares += slow_reach(model, batch, row, end=end, steps=20, loss_of=loss_of) ** 2
    want = np.sqrt(squares / batch.inputs.shape[0])
    np.testing.assert_allclose(found['reconstruction'], want, rtol=1e-3)


def test_a_model_without_truncation_has_none(digit_records):
    gru = ["ModelConfig.architecture='gru'", 'ObjectiveConfig.reconstruction_weight=0.0']
    config, model, batch = small(digit_records, *gru)
    assert gradient_reach(make_objective(config, 16), model, batch) == {}


def test_the_table_of_predictions_shows_names_as_plain_text(text_records, tmp_path):
    other = [
        "ModelConfig.architecture='transformer'",
        'ObjectiveConfig.reconstruction_weight=0.0',
        'ModelConfig.embedding_units=8',
    ]
    config, model, batch = small(text_records, *other)
    diagnostics = Diagnostics(
        objective=make_objective(config, 16),
        model=model,
        batch=batch,
        spec=text_spec(),
        class_names=('a|<b>', 'c\nd'),
        writer=tf.summary.create_file_writer(str(tmp_path)),
        global_step=tf.Variable(3, dtype=tf.int64),
    )
    diagnostics({})
    table = read_values(tmp_path)['predictions_table'][3].item().decode()
    rows = table.splitlines()[2:]
    assert len(rows) == 8
    assert all(len(re.findall(r'(?<!\\)[|]', row)) == 5 for row in rows)
    assert '<' not in table
    assert 'a\\|&lt;b&gt;' in table


@pytest.mark.long
def test_a_validated_run_shows_it(digit_records, tmp_path):
    gin_file = tmp_path / 'tiny.gin'
    params = [
        *small_data.TINY_RUN,
        'RunConfig.diagnostics=True',
        'RunConfig.train_steps=14',
        'RunConfig.eval_interval=7',
        'RunConfig.log_interval=2',
        'RunConfig.profile_from=4',
        'RunConfig.profile_until=8',
    ]
    gin_file.write_text('\n'.join(params) + '\n')
    run = tmp_path / 'run'
    assert execute(str(gin_file), run, 'train_and_eval', records=digit_records) == 0
    shown = read_values(run / 'validation')
    norms = [
        shown[f'gradient_reach/{loss}_{distance}'][14]
        for loss in ('supervised', 'reconstruction')
        for distance in (1, 10, 20)
    ]
    assert all(0 < float(norm) < 100 for norm in norms)
    # Width, height, and the picture.
    assert len(shown['gradient_reach'][7]) == 3
    assert len(shown['predictions'][14]) == 2 + 16
    assert str(shown['predictions_table'][14]).count('%') == 16
    histograms = {k: v for k, v in read_values(run / 'train').items() if k.startswith('anchors/')}
    assert {k: sorted(v) for k, v in histograms.items()} == {
        f'anchors/{name}': [2, 13] for name in ('r_anchors', 'r_starts', 'p_anchors')
    }
    assert list((run / 'train').rglob('*.xplane.pb'))
