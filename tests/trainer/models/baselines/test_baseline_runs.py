"""Baselines through the same commands as the LSTM: train, resume, evaluate, export, refuse."""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_data
import tensorflow as tf
from quick import quick_or_long
from small_models import take_step
from whole_runs import execute, killed_after, variables

from pipelines.format import records
from pipelines.job.sources.builtin.digits import raw_items
from trainer import bindings
from trainer.data.batches import Rows, SplitInput
from trainer.devices.execution import Execution
from trainer.run_dir.folder import ModelDir
from trainer.training.optimizers import make_optimizer
from trainer.training.task import LonghaulTask

BASELINES = ('gru', 'transformer')
STEPS = 4
TINY = [
    *small_data.TINY_RUN,
    'ObjectiveConfig.reconstruction_weight=0.0',
    'ModelConfig.embedding_units=8',
    'ModelConfig.transformer_heads=2',
    'ModelConfig.transformer_inner_units=6',
    'RunConfig.log_interval=2',
    'RunConfig.checkpoint_interval=2',
    'RunConfig.eval_interval=4',
]


@pytest.fixture(scope='module')
def gin_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp('gin')
    for name in BASELINES:
        lines = [*TINY, f"ModelConfig.architecture='{name}'", f'RunConfig.train_steps={STEPS}']
        (folder / f'{name}.gin').write_text('\n'.join(lines) + '\n')
    return {name: str(folder / f'{name}.gin') for name in BASELINES}


@pytest.fixture(scope='module', params=quick_or_long(BASELINES, ['gru']))
def trained(request, gin_files, digit_records, tmp_path_factory):
    """Name and folder of a run that was evaluated and exported."""
    name, folder = request.param, tmp_path_factory.mktemp('run') / 'whole'
    assert execute(gin_files[name], folder, 'train_and_eval', records=digit_records) == 0
    assert execute(None, folder, 'export') == 0
    return name, folder


def test_a_resumed_run_ends_with_the_same_bits(
    trained, gin_files, digit_records, tmp_path, monkeypatch
):
    name, folder = trained
    often = ('RunConfig.log_interval=1', 'RunConfig.checkpoint_interval=1')
    with killed_after(2, monkeypatch):
        execute(gin_files[name], tmp_path, 'train', *often, records=digit_records)
    assert ModelDir(str(tmp_path)).latest_step() == 2
    assert execute(gin_files[name], tmp_path, 'train', records=digit_records) == 0
    want, got = variables(folder), variables(tmp_path)
    assert want.keys() == got.keys()
    for key, value in want.items():
        np.testing.assert_array_equal(got[key], value, err_msg=key)


def served(folder):
    """Asks the exported model: raw items -> its answers."""
    module = tf.saved_model.load(str(next((folder / 'export').iterdir())))
    return lambda data: module.signatures['serving_default'](data=tf.constant(data))


def predictions(folder):
    lines = (folder / 'predictions-test.jsonl').read_text().splitlines()
    return [json.loads(line) for line in lines]


def assert_same(out, rows):
    assert [name.decode() for name in out['class_name'].numpy()] == [r['predicted'] for r in rows]
    got = out['probabilities'].numpy().max(axis=-1)
    np.testing.assert_allclose(got, [r['probability'] for r in rows], atol=2e-6)


def test_the_export_answers_as_the_evaluation_did(trained):
    _, folder = trained
    rows, images = predictions(folder), {key: data for key, _, data in raw_items()}
    assert len(rows) == 200
    assert_same(served(folder)([images[row['id']] for row in rows]), rows)


@pytest.mark.long
def test_the_export_needs_nothing_but_tensorflow(trained):
    _, folder = trained
    data = next(data for _, _, data in raw_items())
    code = (
        'import sys, tensorflow as tf; '
        'serve = tf.saved_model.load(sys.argv[1]).signatures["serving_default"]; '
        'answer = serve(data=tf.constant([sys.stdin.buffer.read()])); '
        'print(answer["class_name"].numpy()[0].decode()); '
        'assert not {"trainer", "pipelines", "tf_keras", "official"} & set(sys.modules)'
    )
    export = next((folder / 'export').iterdir())
    done = subprocess.run(
        [sys.executable, '-c', code, str(export)], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    want = served(folder)([data])['class_name'].numpy()[0]
    assert done.stdout.strip() == want


@pytest.mark.parametrize('mode', ['train', 'eval', 'export'])
def test_refuses_to_go_on_with_another_architecture(
    trained, mode, gin_files, digit_records, capsys
):
    """And leaves the run as it was."""
    name, folder = trained
    other = next(b for b in BASELINES if b != name)
    before = (folder / 'operative.gin').read_text()
    assert execute(gin_files[other], folder, mode, records=digit_records) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    what = 'experiment' if mode == 'train' else 'model'
    assert error.startswith(f'error: --model_dir={folder}: holds another {what}')
    assert 'ModelConfig' in error
    assert (folder / 'operative.gin').read_text() == before


@pytest.mark.long
@pytest.mark.parametrize('name', quick_or_long(BASELINES, ['gru']))
def test_documents_train_evaluate_and_export(name, gin_files, one_bucket_texts, tmp_path):
    assert execute(gin_files[name], tmp_path, 'train', records=one_bucket_texts) == 0
    assert execute(None, tmp_path, 'eval') == 0
    assert execute(None, tmp_path, 'export') == 0
    texts, rows = [text for _, text in small_data.documents()], predictions(tmp_path)
    serve = served(tmp_path)
    out = serve([*(texts[int(row['id'].split('/')[1])] for row in rows), ''])
    assert list(out['readable'].numpy()) == [True] * len(rows) + [False]
    assert_same({key: value[:-1] for key, value in out.items()}, rows)
    nothing = serve(['', ''])
    assert list(nothing['class_index'].numpy()) == [-1, -1]
    assert not nothing['probabilities'].numpy().any()


@pytest.mark.parametrize('name', BASELINES)
def test_training_reduces_the_loss(name, digit_records):
    """On one batch of digits: from chance, log 10, to half of it."""
    params = [
        f"ModelConfig.architecture='{name}'",
        'ModelConfig.embedding_units=16',
        'ModelConfig.hidden_units=16',
        'ModelConfig.head_units=32',
        'ModelConfig.dropconnect_rate=0.0',
        "OptimizerConfig.name='adam'",
        'OptimizerConfig.learning_rate=0.01',
        'DataConfig.batch_size=32',
        'RunConfig.seed=1',
    ]
    config = bindings.load(gin_files=[], gin_params=params, records=digit_records)
    info = records.read_info(digit_records)
    task = LonghaulTask(config, info, execution=Execution(parts=2))
    model, optimizer = task.build_model(), make_optimizer(config.optimizer, phase_steps=100)
    split = SplitInput(digit_records, 'train', info, config.objective, seed=1)
    dataset = split.training(split.order(32), first_step=0, parts=[Rows(0, 1)])
    batch = next(iter(dataset))
    step = tf.function(lambda n: take_step(task, batch, model, optimizer, n), autograph=False)
    losses = [float(step(tf.constant(n, tf.int64))) for n in range(100)]
    assert losses[0] == pytest.approx(np.log(10), abs=0.3)
    assert min(losses) < 0.5 * np.log(10)


@pytest.mark.parametrize('name', BASELINES)
@pytest.mark.parametrize(
    'binding',
    [
        'ObjectiveConfig.reconstruction_weight=1.0',
        'ObjectiveConfig.prediction_weight=0.5',
        'RunConfig.pretrain_steps=3',
    ],
)
def test_refuses_auxiliary_losses(name, binding, gin_files, tmp_path, capsys):
    """Before anything runs: there is not even a folder of records here."""
    assert execute(gin_files[name], tmp_path / 'run', 'train', binding) == 2
    error = capsys.readouterr().err.strip()
    assert '\n' not in error
    for word in (f'error: {binding}', f"architecture='{name}'", '0 is needed', "'lstm'"):
        assert word in error
    assert not (tmp_path / 'run').exists()


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        (["ModelConfig.architecture='rnn'"], ["architecture='rnn'", "'gru'", "'transformer'"]),
        (['ModelConfig.transformer_heads=3'], ['embedding_units=8', 'transformer_heads=3']),
        (['ModelConfig.transformer_layers=0'], ['transformer_layers=0', '>= 1']),
        (
            ['ModelConfig.embedding_units=7', 'ModelConfig.transformer_heads=1'],
            ['embedding_units=7', 'even'],
        ),
        (['ModelConfig.embedding_units=2'], ['embedding_units=2', '>= 4']),
    ],
)
def test_refuses_sizes_that_do_not_fit(params, words, gin_files, tmp_path, capsys):
    assert execute(gin_files['transformer'], tmp_path, 'train', *params) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith('error: ModelConfig.')
    assert '\n' not in error
    for word in words:
        assert word in error
