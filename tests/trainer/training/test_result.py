"""The one line that a run comes to."""

import contextlib
import dataclasses
import io
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import gin
import numpy as np
import pytest
import small_data

from pipelines.format import records
from trainer import bindings, commands
from trainer.commands import Command
from trainer.training import result

ROOT = Path(__file__).parents[3]


def load(*params):
    return bindings.load(gin_files=[], gin_params=[*small_data.TINY_RUN, *params])


def test_the_hash_is_of_what_is_configured_and_not_of_where():
    base = result.config_hash(load())
    assert base == result.config_hash(load("DataConfig.records='elsewhere'"))
    assert base != result.config_hash(load('RunConfig.seed=1'))
    assert len(base) == 12
    gin.clear_config()


@pytest.mark.long
def test_the_commit_is_that_of_this_checkout_or_none(tmp_path):
    git = ['git', '-C', str(ROOT), 'rev-parse', '--short=12', 'HEAD']
    done = subprocess.run(git, capture_output=True, text=True)
    expected = done.stdout.strip() if done.returncode == 0 else None
    assert (result.commit() or '').removesuffix('+') == (expected or '')
    # A change of code shows, one of documents or results does not.
    changed = subprocess.run(
        ['git', '-C', str(ROOT), 'diff', '--quiet', 'HEAD', '--']
        + ['trainer', 'pipelines', 'tools', 'gin']
    ).returncode
    assert (result.commit() or '').endswith('+') == (done.returncode == 0 and bool(changed))
    # A copy that lies, untracked, inside of somebody else's repository.
    subprocess.run(['git', 'init', '-q', str(tmp_path)], check=True)
    shutil.copytree(ROOT / 'trainer', tmp_path / 'trainer')
    shutil.copytree(ROOT / 'pipelines', tmp_path / 'pipelines')
    code = 'from trainer.training import result; print(result.__file__, result.commit())'
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [str(tmp_path / 'trainer/training/result.py'), 'None']


@pytest.fixture(scope='module')
def finished(digit_records, tmp_path_factory):
    """A run in two starts: its model_dir, and what each start printed last."""
    folder = tmp_path_factory.mktemp('result')
    gin_file = folder / 'tiny.gin'
    gin_file.write_text('\n'.join(['STEPS = 3', 'RunConfig.train_steps = %STEPS']))
    command = Command('train_and_eval', str(folder / 'run'), [str(gin_file)], [], digit_records)
    params = [*small_data.TINY_RUN, "ObjectiveConfig.pixel_loss='cross_entropy'"]
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        for steps in (3, 6):
            this = dataclasses.replace(command, gin_params=[*params, f'STEPS={steps}'])
            assert commands.execute(this) == 0
        # Its process has been at work for a while.
        began = time.monotonic() - 1000
        again = Command('train_and_eval', command.model_dir, [], [], began=began)
        assert commands.execute(again) == 0
    (folder / 'said').write_text(said.getvalue())
    return folder


def test_a_run_says_what_begins_and_how_it_ended(finished):
    said, test = (finished / 'said').read_text().splitlines(), 'evaluating test: 200 examples'
    begun = ['joint  compiling the first step', 'validating at step 6: 138 examples', test]
    places = [len(said) - 1 - said[::-1].index(line) for line in begun]
    assert places == sorted(places)
    assert said[-2].startswith('test accuracy ')
    run = finished / 'run'
    assert f'next: python -m trainer.main --mode=export --model_dir={run}; then' in said[-1]


def test_a_run_without_a_test_accuracy_says_why(digit_records):
    info = records.read_info(digit_records)
    line = {'test_accuracy': None, 'test_interval': None}
    (why, after) = result.ending(line, info, 'my run')
    assert 'RunConfig.evaluate_test=False' in why
    assert "--model_dir='my run'" in after
    splits = {'train': 9, 'validation': 1, 'test': 0}
    none = dataclasses.replace(info, counts={'splits': splits}, class_names=())
    assert result.ending(line, none, 'run') == ['no test accuracy: the records have no test split']


def test_a_finished_run_is_one_line(finished, digit_records):
    text = (finished / 'run' / 'result.json').read_text()
    assert text.count('\n') == 1
    result = json.loads(text)
    test = json.loads((finished / 'run' / 'evaluation-test.json').read_text())
    assert result['gin_file'] == str(finished / 'tiny.gin'), 'the last start named none'
    assert result['params'][-1] == 'STEPS=6'
    assert (result['steps'], result['seed'], result['finished']) == (6, 0, True)
    assert result['epochs'] == pytest.approx(6 / (200 // 16), abs=0.001)
    assert 1000 < result['seconds'] < 2000
    assert result['test_accuracy'] == test['accuracy']
    assert result['test_interval'] == [test['accuracy_low'], test['accuracy_high']]
    assert 0 <= result['validation_accuracy'] <= 1


def test_the_peak_is_that_of_the_start_that_needed_most(tmp_path):
    path = tmp_path / 'result.json'
    own = result.peak_memory_mb(str(path))
    assert own > 100
    path.write_text('{"peak_memory_mb": 1e9}')
    assert result.peak_memory_mb(str(path)) == 1e9
    for text in ('{"peak_memory_mb": 1}', '{}', '[]', '{', '{"peak_memory_mb": null}'):
        path.write_text(text)
        assert own <= result.peak_memory_mb(str(path)) < 1e9


def test_an_evaluation_has_top_5_and_bits(finished):
    logs = json.loads((finished / 'run' / 'evaluation-test.json').read_text())
    assert logs['accuracy'] <= logs['top_5_accuracy'] <= 1
    bits = logs['reconstruction_bits_per_step']
    assert bits == pytest.approx(logs['reconstruction_loss'] / np.log(2))
    # An untrained softmax over 256 values says little more than 8 bits.
    assert 5 < bits < 9


def test_the_configuration_is_shown_in_tensorboard(finished):
    import tensorflow as tf

    texts = [
        value.tensor.string_val[0].decode()
        for path in (finished / 'run' / 'train').glob('events*')
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if value.tag == 'gin'
    ]
    assert any('RunConfig.train_steps = %STEPS' in text for text in texts)
