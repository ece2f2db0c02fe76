"""Whole runs with readouts, relative losses and replicated targets.

They are trained, measured, resumed, mirrored and exported.
"""

import json

import gin
import numpy as np
import pytest
import small_data
import tensorflow as tf
from small_models import READOUTS, config_of, task_of
from whole_runs import execute, killed_after, variables

from tools.event_files import read_values
from trainer.run_dir.folder import ModelDir
from trainer.training.run import Run

STEPS = ('RunConfig.pretrain_steps=1', 'RunConfig.train_steps=3', 'RunConfig.evaluate_test=False')
# The readouts' windows are read alone; all that is placed is.
PARAMS = [
    *small_data.TINY_RUN,
    *READOUTS,
    'ObjectiveConfig.supervised_bptt_steps=15',
    "ObjectiveConfig.anchor_placement='stratified'",
    "ObjectiveConfig.distance_placement='log_uniform'",
    'ObjectiveConfig.anchors_per_sequence=2',
    'ObjectiveConfig.replication_weight=0.5',
]
ALL = [*PARAMS, *STEPS]
LOSSES = ('reconstruction', 'prediction')


@pytest.fixture(scope='module')
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('gin') / 'readouts.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


@pytest.fixture(scope='module')
def trained(request, gin_file, tmp_path_factory):
    """A run by the name of its records, validated and exported; digits with diagnostics."""
    folders = {}

    def train(name):
        if name not in folders:
            folder, records = tmp_path_factory.mktemp(name), request.getfixturevalue(name)
            more = [f'RunConfig.diagnostics={name == "digit_records"}']
            done = execute(gin_file, folder, 'train_and_eval', *STEPS, *more, records=records)
            assert done == 0
            assert execute(None, folder, 'export') == 0
            folders[name] = folder
        return folders[name]

    return train


def last_validation(folder):
    return json.loads((folder / 'validations.jsonl').read_text().splitlines()[-1])


# Of documents and signals each bucket of lengths is traced anew.
DATA = [
    'digit_records',
    pytest.param('text_records', marks=pytest.mark.long),
    pytest.param('signal_records', marks=pytest.mark.long),
]


@pytest.mark.parametrize('data', DATA)
def test_relative_losses_are_shares_and_near_one_untrained(request, trained, data):
    folder = trained(data)
    found = json.loads((folder / 'evaluation-validation.json').read_text())
    for name in LOSSES:
        assert 0.3 < found[f'{name}_loss'] < 3
        share = found[f'{name}_loss'] / found[f'{name}_average']
        assert found[f'{name}_explained'] == pytest.approx(1 - share, abs=1e-6)
        assert found[f'{name}_average'] == pytest.approx(1, abs=0.4)
        assert f'{name}_squared_error' not in found
        assert f'{name}_bits_per_step' not in found
    curve = found['memory_curve']
    if task_of(config_of(request.getfixturevalue(data))).info.counts['splits']['validation'] < 20:
        assert curve is None
        return
    assert len(curve['distances']) == len(curve['explained'])
    assert 0 <= curve['total'] <= 1


@pytest.mark.parametrize('data', DATA)
def test_the_export_recalls_what_the_model_reads_out(request, trained, data):
    folder = ModelDir(str(trained(data)))
    config = config_of(request.getfixturevalue(data), *READOUTS)
    task = task_of(config)
    model, step = task.build_model(), tf.Variable(0, dtype=tf.int64)
    folder.read_evaluated(folder.evaluated_checkpoint(), model=model, global_step=step)
    (export,) = (trained(data) / 'export').iterdir()
    loaded = tf.saved_model.load(str(export)).signatures
    random, spec = np.random.default_rng(0), task.info.spec
    inputs = random.integers(1, 100, [2, 30, *spec.step_shape]).astype(spec.dtype)
    start = loaded['start'](batch_size=tf.constant(2))
    lengths = tf.constant([30, 30])
    state = loaded['advance'](inputs=tf.constant(inputs), lengths=lengths, **start)
    distances = tf.constant([1, 5, 30])
    found = loaded['recall'](**state, distances=distances)['values'].numpy()
    hidden = model.encode(model.sequences(tf.constant(inputs), None))
    said = model.reconstruction(hidden, distances).numpy()
    if spec.kind == 'text':
        np.testing.assert_array_equal(found, said.argmax(axis=-1))
    elif spec.kind == 'image':
        assert np.abs(found - said.clip(0, 1) * 255).max() <= 0.51
    else:
        np.testing.assert_allclose(found, said, rtol=1e-2, atol=1e-3)


def test_a_validation_says_whether_it_works(trained):
    folder = trained('digit_records')
    shown = read_values(folder / 'validation')
    row = last_validation(folder)
    for name in LOSSES:
        assert -1 < row[f'{name}_state_use'] < 1
        assert row[f'{name}_recurrent_gradient'] > 0
        assert float(shown[f'{name}_state_use'][4]) == pytest.approx(row[f'{name}_state_use'])
    assert row['supervised_recurrent_gradient'] > 0
    assert row['replication_recurrent_gradient'] > 0
    # Ten classes, hardly trained: at the anchors as at the end.
    assert row['replication_loss'] == pytest.approx(np.log(10), abs=0.5)
    assert row['replication_loss'] != row['supervised_loss']
    assert 0 < row['memory'] < 1
    assert float(shown['memory'][4]) == pytest.approx(row['memory'])
    # Width, height, and the picture; of what the readout says too.
    assert len(shown['memory_curve'][4]) == 3
    assert len(shown['reconstruction'][4]) == 2 + 4


@pytest.mark.long
def test_killed_and_resumed_it_ends_with_the_same_bits(
    trained, gin_file, digit_records, tmp_path, monkeypatch
):
    steps = (*STEPS, 'RunConfig.checkpoint_interval=1', 'RunConfig.log_interval=1')
    with killed_after(2, monkeypatch):
        execute(gin_file, tmp_path, 'train', *steps, records=digit_records)
    assert execute(gin_file, tmp_path, 'train', *STEPS, records=digit_records) == 0
    want, got = variables(trained('digit_records')), variables(tmp_path)
    assert want.keys() == got.keys()
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.long
def test_two_replicas_train_as_one_and_measure(trained, strategies, digit_records, tmp_path):
    config = config_of(digit_records, *ALL, 'RunConfig.diagnostics=True')
    run = Run(config, str(tmp_path), strategy=strategies['two'])
    run.train(operative_config=gin.operative_config_str(), validate=True)
    one, two = variables(trained('digit_records')), variables(tmp_path)
    kernels = [n for n in one if n.startswith('model/') and n.endswith('VALUE')]
    assert len(kernels) > 20
    for name in kernels:
        np.testing.assert_allclose(two[name], one[name], atol=2e-5, err_msg=name)
    want, got = last_validation(trained('digit_records')), last_validation(tmp_path)
    for name in (f'{n}_{what}' for n in LOSSES for what in ('state_use', 'recurrent_gradient')):
        assert got[name] == pytest.approx(want[name], rel=1e-2, abs=1e-4)
