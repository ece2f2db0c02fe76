"""--dry_run says what would happen, and nothing happens; what cannot fit is refused."""

import re

import pytest
import small_data
from whole_runs import execute

from trainer.training import memory, task


@pytest.fixture(scope='module')
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('gin') / 'tiny.gin'
    path.write_text('\n'.join(small_data.TINY_RUN) + '\n')
    return str(path)


def train(gin_file, model_dir, records, *params, **flags):
    return execute(gin_file, model_dir, 'train', *params, records=records, **flags)


def test_a_dry_run_prints_all_and_writes_nothing(gin_file, digit_records, tmp_path, capsys):
    model_dir = tmp_path / 'run'
    params = ('RunConfig.train_steps=24', 'RunConfig.pretrain_steps=12')
    assert train(gin_file, model_dir, digit_records, *params, dry_run=True) == 0
    said = capsys.readouterr().out
    assert 'ModelConfig.hidden_units = 6\n' in said
    assert '12 steps per epoch of 16 examples' in said
    assert '36 steps (12 auxiliary + 24 joint): 3.0 epochs' in said
    # embedding 1x5; LSTM (5 + 6 + 1) x 24.
    assert ['embedding', '5'] in [line.split() for line in said.splitlines()]
    assert ['main', '288'] in [line.split() for line in said.splitlines()]
    for word in ('decoder', 'supervised window', 'free here', 'checkpoints/', 'pretrained/'):
        assert word in said
    assert not model_dir.exists()


def test_a_dry_run_refuses_what_the_run_would(gin_file, digit_records, tmp_path, capsys):
    large = 'DataConfig.batch_size=500'
    assert train(gin_file, tmp_path / 'run', digit_records, large, dry_run=True) == 2
    assert 'batch_size=500' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('free', 'words'),
    [
        (10**5, ['at least', '0.1 MB are free', 'lower ', 'DataConfig.batch_size=']),
        (10**3, ['no batch is small enough']),
    ],
)
def test_refuses_what_cannot_fit(
    gin_file, digit_records, tmp_path, capsys, monkeypatch, free, words
):
    monkeypatch.setattr(memory, 'available_bytes', lambda: free)
    assert train(gin_file, tmp_path / 'run', digit_records) == 2
    error = capsys.readouterr().err.strip()
    assert '\n' not in error
    for word in words:
        assert word in error
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize('width', ['hidden_units', 'embedding_units', 'head_units'])
@pytest.mark.parametrize('dry_run', [True, False])
def test_a_model_that_cannot_fit_is_refused_before_it_is_built(
    gin_file, digit_records, tmp_path, capsys, monkeypatch, width, dry_run
):
    monkeypatch.setattr(task.LonghaulTask, 'build_model', None)
    monkeypatch.setattr(memory, 'available_bytes', lambda: 10**9)
    wide = f'ModelConfig.{width}={1 << 24}'
    assert train(gin_file, tmp_path / 'run', digit_records, wide, dry_run=dry_run) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert 'error: the model needs at least' in error
    assert f'lower {wide}; no batch is small enough' in error
    assert not (tmp_path / 'run').exists()


@pytest.mark.long
def test_a_transformer_of_which_no_weight_fits_is_refused(
    gin_file, digit_records, tmp_path, capsys
):
    wide = f'ModelConfig.embedding_units={1 << 24}'
    params = (
        "ModelConfig.architecture='transformer'",
        wide,
        'ObjectiveConfig.reconstruction_weight=0.0',
    )
    assert train(gin_file, tmp_path / 'run', digit_records, *params, dry_run=True) == 2
    assert f'error: {wide}: the model does not fit' in capsys.readouterr().err


def test_a_dry_run_shows_what_does_not_fit_and_refuses_it(
    gin_file, digit_records, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(memory, 'available_bytes', lambda: 10**5)
    assert train(gin_file, tmp_path / 'run', digit_records, dry_run=True) == 2
    said = capsys.readouterr()
    assert 'free here: 0.1 MB' in said.out
    assert 'error: a training step needs at least' in said.err


def test_the_proposed_batch_is_not_refused(gin_file, digit_records, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, 'available_bytes', lambda: 10**5)
    assert train(gin_file, tmp_path / 'run', digit_records) == 2
    proposed = capsys.readouterr().err.partition('--gin_param="')[2].partition('"')[0]
    steps = 'RunConfig.train_steps=1'
    assert train(gin_file, tmp_path / 'run', digit_records, proposed, steps) == 0


@pytest.mark.long
def test_the_proposed_parts_are_not_refused(gin_file, digit_records, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(memory, 'available_bytes', lambda: 10**5)
    assert train(gin_file, tmp_path / 'run', digit_records) == 2
    parts = re.search(r'DataConfig.accumulation_steps=\d+', capsys.readouterr().err)[0]
    assert parts != 'DataConfig.accumulation_steps=1'
    steps = 'RunConfig.train_steps=1'
    assert train(gin_file, tmp_path / 'run', digit_records, parts, steps) == 0


def test_measuring_belongs_to_a_dry_run(gin_file, digit_records, tmp_path, capsys):
    assert train(gin_file, tmp_path / 'run', digit_records, measure=True) == 2
    assert 'error: --measure: belongs to --dry_run' in capsys.readouterr().err
    assert not (tmp_path / 'run').exists()


@pytest.mark.long
def test_a_dry_run_says_how_long_the_run_will_take(gin_file, digit_records, tmp_path, capsys):
    params = ('RunConfig.train_steps=24', 'RunConfig.pretrain_steps=12')
    flags = {'dry_run': True, 'measure': True}
    assert train(gin_file, tmp_path / 'run', digit_records, *params, **flags) == 0
    said = capsys.readouterr().out.partition('\nTime\n')[2]
    assert re.search(r'pretrain  12 steps of [\d.e-]+ s, compiling \d+ s; \d+:\d\d with', said)
    assert re.search(r'joint     24 steps of [\d.e-]+ s', said)
    assert re.search(r'in all \d+:\d\d, measured over 4 steps', said)
    assert not (tmp_path / 'run').exists()


@pytest.mark.long
def test_a_batch_that_training_leaves_out_ends_a_measurement(
    gin_file, digit_records, tmp_path, capsys
):
    flags = {'dry_run': True, 'measure': True}
    params = ('RunConfig.skip_loss_above=0', 'RunConfig.train_steps=4')
    assert train(gin_file, tmp_path / 'run', digit_records, *params, **flags) == 2
    assert 'error: --measure: the loss or the gradient of batch 0' in capsys.readouterr().err
