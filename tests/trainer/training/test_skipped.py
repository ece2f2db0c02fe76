"""Batches that give no number are left out, written down, and limited."""

import json

import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute, killed_after, variables

from pipelines.format import records
from trainer import bindings
from trainer.data.batches import SplitInput
from trainer.data.order import TrainingOrder
from trainer.run_dir.folder import ModelDir
from trainer.training.run import Run
from trainer.training.task import LonghaulTask

PARAMS = [
    *small_data.TINY_RUN,
    'RunConfig.train_steps=8',
    'RunConfig.log_interval=3',
    'RunConfig.checkpoint_interval=3',
]
BAD = 4


@pytest.fixture(scope='module')
def bad_rows(digit_records):
    """The rows of the batch at position BAD, int64 [B]."""
    config = bindings.load(gin_files=[], gin_params=PARAMS, records=digit_records)
    info = records.read_info(digit_records)
    split = SplitInput(digit_records, 'train', info, config.objective, seed=0)
    return split.order(16).at(BAD).rows, split


@pytest.fixture
def gin_file(tmp_path):
    path = tmp_path / 'tiny.gin'
    path.write_text('\n'.join(PARAMS) + '\n')
    return str(path)


def spoil(monkeypatch, is_bad):
    """Makes the losses of the rows of bad batches NaN, and with them the gradients."""
    gradients = LonghaulTask.gradients

    def spoilt(self, inputs, model, step):
        losses, found = gradients(self, inputs, model, step)
        factor = tf.where(is_bad(inputs['rows']), np.nan, 1.0)
        return losses._replace(supervised=losses.supervised * factor), [g * factor for g in found]

    monkeypatch.setattr(LonghaulTask, 'gradients', spoilt)


@pytest.fixture
def one_bad_row(bad_rows, monkeypatch):
    """One row is enough: of the two replicas, one alone has it."""
    rows, _ = bad_rows

    def is_bad(found):
        return tf.logical_and(tf.reduce_any(found == rows[0]), tf.reduce_any(found == rows[1]))

    spoil(monkeypatch, is_bad)


@pytest.fixture(scope='module')
def without(digit_records, tmp_path_factory):
    """A run whose order lacks the batch."""
    folder = tmp_path_factory.mktemp('without')
    (folder / 'tiny.gin').write_text('\n'.join(PARAMS) + '\n')
    at = TrainingOrder.at
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TrainingOrder, 'at', lambda self, n: at(self, n + (n >= BAD)))
        assert (
            execute(str(folder / 'tiny.gin'), folder / 'run', 'train', records=digit_records) == 0
        )
    return variables(folder / 'run')


def assert_left_out(folder, want, ids):
    got = variables(folder)
    assert got.keys() == want.keys()
    for name, value in want.items():
        if not name.startswith('skipped'):
            np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert got['skipped/.ATTRIBUTES/VARIABLE_VALUE'] == 1
    assert ModelDir(str(folder)).latest_step() == 8
    lines = [json.loads(x) for x in (folder / 'skipped.jsonl').read_text().splitlines()]
    assert [(x['position'], x['epoch'], x['ids']) for x in lines] == [(BAD, 0, ids)]


def test_the_step_is_taken_with_the_next_batch(
    one_bad_row, bad_rows, without, gin_file, digit_records, tmp_path
):
    assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 0
    rows, split = bad_rows
    assert_left_out(tmp_path / 'run', without, split.ids(rows))


@pytest.mark.long
@pytest.mark.parametrize('stop', [3, 5])
def test_a_run_resumed_around_it_ends_alike(
    one_bad_row, bad_rows, without, gin_file, digit_records, tmp_path, monkeypatch, stop
):
    with killed_after(stop, monkeypatch):
        execute(gin_file, tmp_path / 'run', 'train', records=digit_records)
    assert ModelDir(str(tmp_path / 'run')).latest_step() in (3, 6)
    assert execute(gin_file, tmp_path / 'run', 'train', records=digit_records) == 0
    rows, split = bad_rows
    assert_left_out(tmp_path / 'run', without, split.ids(rows))


def test_one_replicas_nan_is_everybodys(one_bad_row, digit_records, tmp_path, strategies):
    folder = tmp_path / 'two'
    config = bindings.load(gin_files=[], gin_params=PARAMS, records=digit_records)
    run = Run(config, str(folder), strategy=strategies['two'])
    run.train(operative_config='', validate=False)
    found = variables(folder)
    assert found['skipped/.ATTRIBUTES/VARIABLE_VALUE'] == 1
    assert all(np.isfinite(value).all() for value in found.values() if value.dtype.kind == 'f')
    assert ModelDir(str(folder)).latest_step() == 8


def test_too_many_end_the_run_clearly(gin_file, digit_records, tmp_path, monkeypatch, capsys):
    spoil(monkeypatch, lambda rows: rows[0] >= 0)
    most = 'RunConfig.max_skipped_batches=4'
    assert execute(gin_file, tmp_path / 'run', 'train', most, records=digit_records) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    for word in ('6 batches', 'max_skipped_batches=4', 'skipped.jsonl', 'learning_rate'):
        assert word in error
    lines = (tmp_path / 'run' / 'skipped.jsonl').read_text().splitlines()
    assert [json.loads(x)['position'] for x in lines] == list(range(6))


@pytest.mark.long
def test_an_exploding_loss_is_left_out_too(gin_file, digit_records, tmp_path, capsys):
    """The first losses are near log(10), about 2.3, plus the reconstruction's."""
    params = ('RunConfig.skip_loss_above=1.0', 'RunConfig.max_skipped_batches=2')
    assert execute(gin_file, tmp_path / 'run', 'train', *params, records=digit_records) == 2
    assert 'too large' in capsys.readouterr().err
    params = ('RunConfig.skip_loss_above=100.0', 'RunConfig.max_skipped_batches=0')
    assert execute(gin_file, tmp_path / 'other', 'train', *params, records=digit_records) == 0
