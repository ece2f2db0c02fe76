"""Signals through the whole trainer: batches, losses, pictures, runs, and what is served."""

import io
import json

import numpy as np
import pytest
import signal_data
import small_data
import tensorflow as tf
from whole_runs import execute

from pipelines.format import anchors, records
from pipelines.format.spec import signal_spec
from tools.event_files import read_values
from tools.verify import folder as verifier
from trainer import bindings
from trainer.config import ObjectiveConfig
from trainer.data.batches import Rows, SplitInput
from trainer.monitoring import figures
from trainer.training import memory


@pytest.fixture(scope='module')
def one_bucket(tmp_path_factory):
    """Of one segment each: every number of segments would be traced anew."""
    return signal_data.signal_records(
        tmp_path_factory.mktemp('short'), segment_steps=40, most=40, count=60
    )


@pytest.fixture(scope='module')
def levels(tmp_path_factory):
    """One channel of uint8, one segment each."""
    return signal_data.signal_records(
        tmp_path_factory.mktemp('levels'),
        dtype='uint8',
        channels=1,
        segment_steps=40,
        most=40,
        count=60,
    )


def stored(folder, split, *, most=40):
    info = records.read_info(folder)
    signals = signal_data.signals(info.spec, info.counts['splits'][split], most=most, split=split)
    return {anchors.id_hash(signal.id): signal for signal in signals}


def test_the_records_have_no_fault(signal_records, levels):
    for folder in (signal_records, levels):
        assert verifier.verify(folder).faults == []


def test_batches_are_right_aligned_after_zeros(signal_records):
    objective = ObjectiveConfig(auxiliary_steps=16, reconstruction_weight=1.0)
    source = SplitInput(
        signal_records, 'train', records.read_info(signal_records), objective, seed=0
    )
    signals, sizes = stored(signal_records, 'train', most=90), set()
    dataset = source.training(source.order(8), first_step=0, parts=[Rows(0, 1)])
    for batch in dataset.take(8).as_numpy_iterator():
        assert batch['inputs'].dtype == np.float16
        total = batch['inputs'].shape[1]
        sizes.add(total)
        for i, row in enumerate(batch['rows']):
            signal = signals[source.reader.entries['id_hash'][row]]
            want = np.zeros([total, 3], np.float16)
            want[total - len(signal.values) :] = signal.values
            np.testing.assert_array_equal(batch['inputs'][i], want)
            assert (batch['lengths'][i], batch['labels'][i]) == (len(signal.values), signal.label)
    assert len(sizes) > 1


def run(folder, records_folder, *params, mode='train_and_eval', **flags):
    rhythm = ('log_interval=4', 'checkpoint_interval=8', 'eval_interval=8', 'train_steps=8')
    gin_file = folder.parent / 'tiny.gin'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, *(f'RunConfig.{p}' for p in rhythm)]))
    return execute(str(gin_file), folder, mode, *params, records=records_folder, **flags)


def evaluation(folder):
    return json.loads((folder / 'evaluation-test.json').read_text())


@pytest.fixture(scope='module')
def trained(one_bucket, tmp_path_factory):
    """An rp-LSTM on float signals, evaluated and exported."""
    folder = tmp_path_factory.mktemp('run') / 'rp'
    params = ('ObjectiveConfig.prediction_weight=0.5', 'RunConfig.diagnostics=True')
    assert run(folder, one_bucket, *params) == 0
    assert execute(None, folder, 'export') == 0
    return folder


def test_reports_squared_errors_and_no_bits(trained):
    found = evaluation(trained)
    assert 0 < found['reconstruction_squared_error'] < 10
    assert 0 < found['prediction_squared_error'] < 10
    assert not [name for name in found if 'bits' in name]


def test_tensorboard_gets_curves(trained):
    shown = read_values(trained / 'validation')
    # Width, height, and a picture each.
    for name, count in (('reconstruction', 4), ('predictions', 16)):
        width, height, *pictures = shown[name][8]
        assert (int(width), int(height)) == (600, 420)
        assert len(pictures) == count, name


def npy(values):
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def ask(folder, data):
    module = tf.saved_model.load(str(next((folder / 'export').iterdir())))
    answer = module.signatures['serving_default'](data=tf.constant(data))
    return {k: v.numpy() for k, v in answer.items()}


def assert_served(folder, signals):
    """As the evaluation said, from the bytes of .npy files, two unreadable ones among them."""
    rows = [json.loads(x) for x in (folder / 'predictions-test.jsonl').read_text().splitlines()]
    by_id = {signal.id: signal.values for signal in signals.values()}
    assert len(rows) == len(by_id) == 20
    bad = [b'nothing', npy(np.full([4, 7], 1, np.float64))]
    found = ask(folder, [npy(by_id[row['id']]) for row in rows] + bad)
    assert found['readable'].tolist() == [True] * 20 + [False] * 2
    names = [name.decode() for name in found['class_name']]
    assert names == [row['predicted'] for row in rows] + ['', '']
    got = found['probabilities'].max(axis=-1)[:20]
    np.testing.assert_allclose(got, [row['probability'] for row in rows], atol=2e-6)
    assert (found['probabilities'][20:] == 0).all()


def test_the_export_answers_as_the_evaluation_did(trained, one_bucket):
    assert_served(trained, stored(one_bucket, 'test'))


def test_the_export_answers_where_nothing_can_be_read(trained):
    found = ask(trained, [b'', npy(np.zeros([0, 3]))])
    assert found['readable'].tolist() == [False, False]


@pytest.mark.long
@pytest.mark.parametrize('architecture', ['gru', 'transformer'])
def test_baselines_train_and_serve(architecture, one_bucket, tmp_path):
    params = [
        f"ModelConfig.architecture='{architecture}'",
        'ObjectiveConfig.reconstruction_weight=0.0',
        'ModelConfig.embedding_units=8',
        'ModelConfig.transformer_heads=2',
        'ModelConfig.transformer_inner_units=6',
    ]
    assert run(tmp_path / 'run', one_bucket, *params) == 0
    assert execute(None, tmp_path / 'run', 'export') == 0
    assert_served(tmp_path / 'run', stored(one_bucket, 'test'))


@pytest.mark.long
def test_bytes_as_levels(levels, tmp_path):
    """Cross-entropy over the 256 values of uint8; served like any other."""
    params = ("ObjectiveConfig.pixel_loss='cross_entropy'",)
    assert run(tmp_path / 'run', levels, *params) == 0
    # Next to nothing is learnt in 8 steps: 8 bits are what chance needs.
    assert 4 < evaluation(tmp_path / 'run')['reconstruction_bits_per_step'] < 12


def test_levels_of_signal_records_are_refused(one_bucket, tmp_path, capsys):
    params = ("ObjectiveConfig.pixel_loss='cross_entropy'",)
    assert run(tmp_path / 'run', one_bucket, *params) == 2
    error = capsys.readouterr().err
    assert "pixel_loss='cross_entropy', but the records in" in error
    assert 'hold float16' in error


@pytest.mark.parametrize(
    ('param', 'words'),
    [
        ("DataConfig.kind='text'", "kind='signal'"),
        ('DataConfig.channels=1', 'channels=3'),
    ],
)
def test_other_records_than_the_experiment_s_are_refused(
    one_bucket, tmp_path, capsys, param, words
):
    assert run(tmp_path / 'run', one_bucket, param, mode='train') == 2
    assert words in capsys.readouterr().err


def test_a_dry_run_says_what_a_step_is(one_bucket, tmp_path, capsys):
    assert run(tmp_path / 'run', one_bucket, mode='train', dry_run=True) == 0
    assert 'signal, 3 x float16 a step, of different length, 2 classes' in capsys.readouterr().out


def test_wide_values_take_more_memory(signal_records):
    config = bindings.load(gin_files=[], gin_params=[], records=signal_records)
    info = records.read_info(signal_records)

    def batches(dtype):
        values = vars(info) | {'spec': signal_spec(dtype=dtype, channels=3)}
        found = memory.estimate(config, records.RecordsInfo(**values), replicas=1)
        return next(part.bytes for part in found if part.name == 'input batches')

    assert batches('float16') == 2 * batches('uint8')


def test_a_reconstruction_is_drawn_over_its_own_stretch(monkeypatch):
    drawn = []
    monkeypatch.setattr(
        figures, 'draw_curves', lambda curves, *, first: drawn.append((curves, first)) or 0
    )
    inputs = np.arange(40, dtype=np.float16).reshape(2, 10, 2)
    outputs = np.full([3, 2, 2], 7.0)
    said = {'on its own': outputs}
    figures.draw_reconstructions(inputs, np.array([10, 5]), np.array([4, 1]), said)
    (long, first), (short, second) = drawn
    assert (first, second) == (5, 2)
    np.testing.assert_array_equal(long['truth'], inputs[0, 5:8])
    # L_i = 5 // 2: one step is said of the shorter row, its third.
    np.testing.assert_array_equal(short['truth'], inputs[1, [7]])
    assert [len(c['on its own']) for c in (long, short)] == [3, 1]


def test_bytes_are_drawn_as_the_model_reads_them(monkeypatch):
    drawn = []
    monkeypatch.setattr(figures, 'draw_curves', lambda curves, *, first: drawn.append(curves) or 0)
    figures.draw_signals(np.array([[[9], [0], [255]]], np.uint8), np.array([2]))
    assert drawn[0][''].tolist() == [[0], [1]]
