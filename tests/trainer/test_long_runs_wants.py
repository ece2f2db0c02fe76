"""Whole runs with moving averages, accumulation, early stopping and mixed precision."""

import json

import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute, killed_after

from pipelines.format import records
from trainer import bindings
from trainer.run_dir.folder import ModelDir
from trainer.training import memory

PARAMS = [
    *small_data.TINY_RUN,
    'RunConfig.log_interval=3',
    'RunConfig.checkpoint_interval=3',
    'RunConfig.eval_interval=3',
]


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


def values(path, prefix):
    reader = tf.train.load_checkpoint(path)
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith(f'{prefix}/')]
    names = [n for n in names if n.endswith('VALUE')]
    return {n.removeprefix(f'{prefix}/'): reader.get_tensor(n) for n in names}


@pytest.mark.long
def test_averages_are_what_is_evaluated_kept_and_exported(gin_file, digit_records, tmp_path):
    run = tmp_path / 'run'
    ema = ('OptimizerConfig.ema_decay=0.9', 'RunConfig.train_steps=6')
    assert execute(gin_file, run, 'train', *ema, records=digit_records) == 0
    latest = ModelDir(str(run)).evaluated_checkpoint()
    averages, model = values(latest, 'averages'), values(latest, 'model')
    assert averages.keys() == model.keys()
    assert any(not np.array_equal(averages[n], model[n]) for n in model)
    # Without a best checkpoint: from the latest one, its averages.
    assert execute(gin_file, run, 'export', *ema, records=digit_records) == 0
    (export,) = (run / 'export').iterdir()
    exported = tf.train.load_checkpoint(str(export / 'variables' / 'variables'))
    names = exported.get_variable_to_shape_map()
    kernel = averages['main/recurrent_kernel/.ATTRIBUTES/VARIABLE_VALUE']
    assert any(np.array_equal(exported.get_tensor(name), kernel) for name in names)
    # Validated now, at its end, the best weights are the averages too.
    assert execute(gin_file, run, 'train_and_eval', *ema, records=digit_records) == 0
    best = values(ModelDir(str(run)).evaluated_checkpoint(), 'model')
    for name, value in best.items():
        np.testing.assert_array_equal(value, averages[name], err_msg=name)


@pytest.mark.long
def test_averages_that_join_later_begin_with_the_weights(gin_file, digit_records, tmp_path):
    run = tmp_path / 'run'
    assert execute(gin_file, run, 'train', 'RunConfig.train_steps=6', records=digit_records) == 0
    # Steps that change nothing: averages that began with anything else would still show it.
    later = (
        'RunConfig.train_steps=9',
        'OptimizerConfig.learning_rate=0.0',
        'OptimizerConfig.ema_decay=0.999',
    )
    code = execute(gin_file, run, 'train', *later, records=digit_records, allow_changes=True)
    assert code == 0
    latest = ModelDir(str(run)).evaluated_checkpoint()
    averages, model = values(latest, 'averages'), values(latest, 'model')
    for name, value in model.items():
        np.testing.assert_allclose(averages[name], value, atol=1e-6, err_msg=name)


@pytest.mark.long
def test_an_accumulated_run_validates_any_batch(gin_file, digit_records, tmp_path):
    params = (
        'DataConfig.accumulation_steps=4',
        'DataConfig.eval_batch_size=3',
        'RunConfig.train_steps=3',
    )
    run = tmp_path / 'run'
    assert execute(gin_file, run, 'train_and_eval', *params, records=digit_records) == 0
    assert json.loads((run / 'evaluation-test.json').read_text())['labelled'] == 200


def test_accumulation_needs_less(digit_records):
    info, found = records.read_info(digit_records), []
    for parts in (1, 4):
        params = [*PARAMS, f'DataConfig.accumulation_steps={parts}']
        config = bindings.load(gin_files=[], gin_params=params, records=digit_records)
        estimate = memory.estimate(config, info, replicas=1)
        found.append({part.name: part.bytes for part in estimate})
    assert found[1]['input batches'] == found[0]['input batches']
    quarter = pytest.approx(found[0]['supervised window'] / 4, rel=0.01)
    assert found[1]['supervised window'] == quarter


@pytest.mark.long
def test_a_run_that_gets_no_better_ends_early_killed_or_not(
    gin_file, digit_records, tmp_path, monkeypatch
):
    """Nothing is learned: the first validation stays the best."""
    params = (
        'OptimizerConfig.learning_rate=0.0',
        'RunConfig.patience=2',
        'RunConfig.train_steps=30',
    )
    whole, killed = tmp_path / 'whole', tmp_path / 'killed'
    command = ('train_and_eval', *params)
    assert execute(gin_file, whole, *command, records=digit_records) == 0
    with killed_after(5, monkeypatch):
        execute(gin_file, killed, *command, records=digit_records)
    for _ in range(2):
        assert execute(gin_file, killed, *command, records=digit_records) == 0
    for run in (whole, killed):
        lines = (run / 'validations.jsonl').read_text().splitlines()
        assert [json.loads(line)['step'] for line in lines] == [3, 6, 9]
        result = json.loads((run / 'result.json').read_text())
        assert (result['steps'], result['finished']) == (9, True)
        assert ModelDir(str(run)).evaluated_checkpoint().endswith('best/ckpt-3')


@pytest.mark.long
def test_validation_is_in_float32_whatever_training_is(gin_file, digit_records, tmp_path):
    """With no step between them, the same numbers."""
    found = []
    for precision in ('float32', 'mixed_bfloat16'):
        run = tmp_path / precision
        params = (
            'OptimizerConfig.learning_rate=0.0',
            'RunConfig.train_steps=3',
            f'RunConfig.precision="{precision}"',
        )
        assert execute(gin_file, run, 'train_and_eval', *params, records=digit_records) == 0
        found.append(json.loads((run / 'evaluation-test.json').read_text()))
    assert found[0] == found[1]
