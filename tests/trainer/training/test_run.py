"""Whole runs of a tiny model through the command: train, resume, evaluate, export, refuse."""

import copy
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_data
import tensorflow as tf
from quick import quick_or_long
from whole_runs import execute, killed_after, variables

from pipelines.format import records
from pipelines.job.sources.builtin.digits import raw_items
from trainer.devices.cluster import ClusterFlags
from trainer.run_dir.folder import ModelDir

ROOT = Path(__file__).parents[3]
TINY = [
    *small_data.TINY_RUN,
    'RunConfig.log_interval=2',
    'RunConfig.checkpoint_interval=2',
    'RunConfig.eval_interval=4',
]


@pytest.fixture(scope='module')
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('gin') / 'tiny.gin'
    path.write_text('\n'.join(TINY) + '\n')
    return str(path)


STEPS = ('RunConfig.pretrain_steps=3', 'RunConfig.train_steps=5')


@pytest.fixture(scope='module')
def trained(gin_file, digit_records, tmp_path_factory):
    """A run of 3 + 5 steps, evaluated and exported."""
    folder = tmp_path_factory.mktemp('run') / 'whole'
    assert execute(gin_file, folder, 'train_and_eval', *STEPS, records=digit_records) == 0
    assert execute(None, folder, 'eval') == 0
    assert execute(None, folder, 'export') == 0
    return folder


@pytest.mark.parametrize('stop', quick_or_long([2, 3, 6], [3]))
def test_a_resumed_run_ends_with_the_same_bits(
    trained, gin_file, digit_records, tmp_path, stop, monkeypatch
):
    """Stopped in the first phase, at the change of phase, and in the second."""

    with killed_after(stop, monkeypatch):
        execute(
            gin_file,
            tmp_path,
            'train',
            *STEPS,
            'RunConfig.log_interval=1',
            'RunConfig.checkpoint_interval=1',
            records=digit_records,
        )
    assert ModelDir(str(tmp_path)).latest_step() == stop
    assert execute(gin_file, tmp_path, 'train', *STEPS, records=digit_records) == 0
    want, got = variables(trained), variables(tmp_path)
    assert want.keys() == got.keys()
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


def test_a_finished_run_is_left_alone(trained, digit_records, capsys):
    before = tf.train.latest_checkpoint(ModelDir(str(trained)).checkpoints)
    stamp = os.path.getmtime(before + '.index')
    assert execute(None, trained, 'train') == 0
    assert os.path.getmtime(before + '.index') == stamp


def test_pretraining_leaves_the_classifier_alone(gin_file, digit_records, tmp_path):
    steps = ('RunConfig.pretrain_steps=4', 'RunConfig.train_steps=0')
    assert execute(gin_file, tmp_path, 'train', *steps, records=digit_records) == 0
    none = ('RunConfig.pretrain_steps=1', 'OptimizerConfig.learning_rate=0.0')
    other = tmp_path / 'other'
    assert (
        execute(gin_file, other, 'train', *none, 'RunConfig.train_steps=0', records=digit_records)
        == 0
    )
    pretrained, initial = variables(tmp_path), variables(other)
    kernels = [n for n in initial if n.startswith('model/') and n.endswith('VALUE')]
    for name in kernels:
        same = np.array_equal(pretrained[name], initial[name])
        assert same == ('classifier' in name), name
    assert ModelDir(str(tmp_path)).best not in os.listdir(tmp_path)


def test_evaluation_files_say_what_was_evaluated(trained, digit_records):
    logs = json.loads((trained / 'evaluation-test.json').read_text())
    lines = (trained / 'predictions-test.jsonl').read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == logs['labelled'] == 200
    assert [r['id'] for r in rows] == sorted(r['id'] for r in rows)
    right = sum(r['label'] == r['predicted'] for r in rows)
    assert logs['accuracy'] == pytest.approx(right / 200)
    assert logs['accuracy_low'] < logs['accuracy'] < logs['accuracy_high']
    assert logs['checkpoint'].startswith('best/')


def test_tensorboard_has_losses_rates_and_pictures(trained):
    found = {}
    for split in ('train', 'validation'):
        for path in (trained / split).glob('events*'):
            for event in tf.compat.v1.train.summary_iterator(str(path)):
                for value in event.summary.value:
                    found.setdefault(split, set()).add(value.tag)
    wanted = {'loss', 'accuracy', 'supervised_loss', 'reconstruction_loss', 'learning_rate'}
    assert found['train'] >= wanted | {'gradient_norm', 'steps_per_second'}
    assert found['validation'] >= {'loss', 'accuracy', 'reconstruction'}


def test_the_export_answers_in_a_process_with_nothing_but_tensorflow(trained, tmp_path):
    """Renamed, its run gone, beside an unreadable file, by the command that a user types."""
    run, export = tmp_path / 'run', tmp_path / 'renamed'
    shutil.copytree(trained, run)
    versions = list((run / 'export').iterdir())
    assert len(versions) == 1
    versions[0].rename(export)
    shutil.rmtree(run)
    rows = [json.loads(x) for x in (trained / 'predictions-test.jsonl').read_text().splitlines()]
    want = {row['id']: row for row in rows}
    images = tmp_path / 'images'
    images.mkdir()
    for example_id, _, data in raw_items():
        if example_id in want:
            (images / f'{example_id}.png').write_bytes(data)
    (images / '0000x.png').write_bytes(b'no image')
    # First TensorFlow alone, from the raw bytes; then the command, which knows no trainer either.
    checked = (
        'import runpy, sys; import tensorflow as tf; export, images = sys.argv[1:3]; '
        'serve = tf.saved_model.load(export).signatures["serving_default"]; '
        'data = open(images + "/0000x.png", "rb").read(); '
        'assert not serve(data=tf.constant([data]))["readable"][0]; '
        'assert not {"trainer", "pipelines", "tools", "tf_keras", "official"} & set(sys.modules); '
        'import atexit; '
        'atexit.register(lambda: print("trainer" in sys.modules, "official" in sys.modules)); '
        'runpy.run_module("tools.predict", run_name="__main__", alter_sys=True)'
    )
    done = subprocess.run(
        [sys.executable, '-c', checked, str(export), str(images), '--json', '--batch_size=50'],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    *lines, imported = done.stdout.splitlines()
    assert imported == 'False False'
    answers = [json.loads(line) for line in lines]
    assert len(answers) == 201
    for answer in answers:
        example_id = Path(answer['file']).stem
        if example_id == '0000x':
            assert answer['class_name'] is None
            continue
        assert answer['class_name'] == want[example_id]['predicted']
        assert answer['probability'] == pytest.approx(want[example_id]['probability'], abs=1e-5)


@pytest.fixture(scope='module')
def trained_on_text(gin_file, one_bucket_texts, tmp_path_factory):
    folder = tmp_path_factory.mktemp('text_run')
    params = ('RunConfig.train_steps=3', 'ObjectiveConfig.prediction_weight=1.0')
    assert execute(gin_file, folder, 'train', *params, records=one_bucket_texts) == 0
    assert execute(None, folder, 'eval') == 0
    assert execute(None, folder, 'export') == 0
    return folder


def test_documents_train_evaluate_and_export(trained_on_text):
    export = next((trained_on_text / 'export').iterdir())
    serve = tf.saved_model.load(str(export)).signatures['serving_default']
    texts = [text for _, text in small_data.documents()]
    rows = [
        json.loads(x) for x in (trained_on_text / 'predictions-test.jsonl').read_text().splitlines()
    ]
    data = [texts[int(row['id'].split('/')[1])] for row in rows]
    out = serve(data=tf.constant([*data, '']))
    names = [n.decode() for n in out['class_name'].numpy()]
    assert names == [row['predicted'] for row in rows] + ['']
    assert list(out['readable'].numpy()) == [True] * len(rows) + [False]
    got = out['probabilities'].numpy().max(axis=-1)[:-1]
    np.testing.assert_allclose(got, [row['probability'] for row in rows], atol=2e-6)


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        (
            ['RunConfig.train_stps=3'],
            ['RunConfig', 'train_stps', 'did you mean RunConfig.train_steps'],
        ),
        (['RunConfg.train_steps=3'], ['RunConfg', 'did you mean RunConfig']),
        (['RunConfig.train_steps=-3'], ['RunConfig.train_steps=-3', '>= 0']),
        ([f'RunConfig.train_steps={1 << 70}'], [f'RunConfig.train_steps={1 << 70}', '<= 90071']),
        (["RunConfig.train_steps='a'"], ["RunConfig.train_steps='a'", 'whole number']),
        (["OptimizerConfig.name='sdg'"], ["OptimizerConfig.name='sdg'", 'rmsprop']),
        (['ObjectiveConfig.auxiliary_steps=64'], ['auxiliary_steps=64', '64 steps']),
        (['DataConfig.batch_size=201'], ['batch_size=201', '200 examples']),
        (["DataConfig.kind='text'"], ["kind='text'", "kind='image'"]),
        (['DataConfig.image_size=28'], ['image_size=28', 'image_size=8']),
        (['DataConfig.channels=3'], ['channels=3', 'channels=1']),
        (['DataConfig.trailing_steps=9'], ['trailing_steps=9', 'trailing_steps=0']),
        (['RunConfig.train_steps=='], ['gin configuration']),
        (
            ['ObjectiveConfig.auxiliary_bptt_steps=0', 'ObjectiveConfig.prediction_weight=1.0'],
            ['auxiliary_bptt_steps=0', 'at least 1'],
        ),
    ],
)
def test_refuses_in_one_line(gin_file, digit_records, tmp_path, capsys, params, words):
    assert execute(gin_file, tmp_path / 'run', 'train', *params, records=digit_records) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith('error: ')
    assert '\n' not in error
    for word in words:
        assert word in error, error


def refusal(capsys, *args, **kwargs) -> str:
    assert execute(*args, **kwargs) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith('error: ')
    assert '\n' not in error
    return error


def test_refuses_missing_and_foreign_folders(
    gin_file, digit_records, text_records, trained, tmp_path, capsys
):
    assert 'nowhere.gin' in refusal(capsys, 'nowhere.gin', tmp_path, 'train')
    assert '--records' in refusal(capsys, gin_file, tmp_path, 'train')
    assert 'no such folder' in refusal(
        capsys, gin_file, tmp_path, 'train', records=str(tmp_path / 'none')
    )
    assert 'has not finished' in refusal(capsys, gin_file, tmp_path, 'train', records=str(tmp_path))
    assert 'holds no run' in refusal(capsys, gin_file, tmp_path, 'eval', records=digit_records)
    assert 'holds no run' in refusal(capsys, gin_file, tmp_path, 'export', records=digit_records)
    assert "kind='image'" in refusal(capsys, gin_file, trained, 'train', records=text_records)
    file = tmp_path / 'file'
    file.write_text('')
    assert 'cannot be written' in refusal(
        capsys, gin_file, file / 'run', 'train', records=digit_records
    )
    assert "split 'tset'" in refusal(
        capsys, None, trained, 'eval', records=digit_records, split='tset'
    )
    cluster = ClusterFlags(strategy='mirored')
    assert 'one_device' in refusal(
        capsys, gin_file, tmp_path, 'train', records=digit_records, cluster=cluster
    )


def test_refuses_records_of_another_format_version(gin_file, digit_records, tmp_path, capsys):
    path = Path(digit_records) / 'records.json'
    text = path.read_text()
    try:
        path.write_text(text.replace('"format_version": 1', '"format_version": 99'))
        error = refusal(capsys, gin_file, tmp_path, 'train', records=digit_records)
    finally:
        path.write_text(text)
    assert '99' in error
    assert 'version 1' in error


def rewrite(folder, **changes):
    """Changes a description as another job would write it, with a checksum that fits."""
    info = dataclasses.replace(records.read_info(str(folder)), **changes)
    whole = dataclasses.replace(info, sha256=info.content_sha256())
    (folder / 'records.json').write_text(whole.to_json())


def test_other_records_of_the_same_shape(trained, gin_file, digit_records, tmp_path, capsys):
    """Refused unless asked for; an evaluation says it; so do shards that do not fit."""
    other, data = tmp_path / 'other', trained / 'data.json'
    shutil.copytree(digit_records, other)
    shards = copy.deepcopy(records.read_info(digit_records).shards)
    shards['train'][0]['sha256'] = 'f' * 64
    rewrite(other, shards=shards)
    before = data.read_text()
    assert execute(gin_file, trained, 'train', *STEPS, records=str(other)) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert f'{other}/train-00000-of-00001.tfrecord: its sha256 is not that' in said[0]
    assert f'--model_dir={trained}: was trained on other records: those of train are' in said[-1]
    assert data.read_text() == before
    assert execute(gin_file, trained, 'eval', records=str(other), split='validation') == 0
    assert f'{other}: these are other records than the run was' in capsys.readouterr().err
    again = {'records': str(other), 'allow_changes': True}
    assert execute(gin_file, trained, 'train', *STEPS, **again) == 0
    assert execute(gin_file, trained, 'train', *STEPS, records=digit_records) == 2
    # A run of an older version takes what it finds, unless the start is refused.
    older = json.dumps({k: v for k, v in json.loads(before).items() if k != 'records'})
    data.write_text(older)
    strange = [*STEPS, 'RunConfig.seed=77']
    assert execute(gin_file, trained, 'train', *strange, records=str(other)) == 2
    assert data.read_text() == older
    assert execute(gin_file, trained, 'train', *STEPS, records=digit_records) == 0
    assert data.read_text() == before
    capsys.readouterr()

    def refused(mode, **flags):
        return refusal(capsys, gin_file, trained, mode, *STEPS, records=str(other), **flags)

    assert 'tfrecord: its sha256 is not that in records.json' in refused('train', check_shards=True)
    shard = other / 'train-00000-of-00001.tfrecord'
    shard.unlink()
    shard.mkdir()
    assert f'{shard}: cannot be read (' in refused('train')
    shard.rmdir()
    shutil.copy(f'{digit_records}/{shard.name}', shard)
    sound = records.read_info(digit_records)
    rewrite(other, class_names=sound.class_names[::-1], shards=sound.shards)
    assert 'use the same records' in refused('eval')
    path = other / 'records.json'
    path.write_text(path.read_text().replace('"seed": 0', '"seed": 1'))
    assert 'records.json: its own sha256 does not fit' in refused('train')


def test_a_damaged_record_is_named(gin_file, digit_records, tmp_path, capsys):
    """Shard and offset, in one line, though the reader runs inside of tf.data."""
    records = tmp_path / 'records'
    shutil.copytree(digit_records, records)
    path = records / 'train-00000-of-00001.tfrecord'
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    params = ('RunConfig.train_steps=30', 'ObjectiveConfig.reconstruction_weight=0.0')
    assert execute(gin_file, tmp_path / 'run', 'train', *params, records=str(records)) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith('error: ')
    assert 'train-00000-of-00001.tfrecord: damaged record at offset' in error
