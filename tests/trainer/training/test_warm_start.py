"""A run that starts from another run's auxiliary phase, on other sequences and other classes."""

import json
import os
import shutil

import numpy as np
import pytest
import small_data
import tensorflow as tf
from whole_runs import execute

from trainer.run_dir.folder import ModelDir

pytestmark = pytest.mark.long

STILL = ('OptimizerConfig.learning_rate=0.0', 'RunConfig.train_steps=1')


@pytest.fixture(scope='module')
def gin_file(tmp_path_factory):
    path = tmp_path_factory.mktemp('gin') / 'tiny.gin'
    path.write_text('\n'.join(small_data.TINY_RUN) + '\n')
    return str(path)


@pytest.fixture(scope='module')
def unlabelled(tmp_path_factory):
    """Documents without labels, so that only auxiliary losses can be trained."""
    folder = tmp_path_factory.mktemp('unlabelled')
    lines = [json.dumps({'text': text}) + '\n' for _, text in small_data.documents()]
    (folder / 'train.jsonl').write_text(''.join(lines))
    # One segment each: every number of segments would be traced anew.
    flags = ('--segment_steps=90', '--auxiliary_steps=16', '--test_share=0.2')
    output = folder / 'records'
    assert small_data.run_job(f'--source=jsonl:{folder}', *flags, f'--output={output}') == 0
    return str(output)


@pytest.fixture(scope='module')
def pretrained(gin_file, unlabelled, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pretrained') / 'run'
    steps = ('RunConfig.pretrain_steps=4', 'RunConfig.train_steps=0')
    assert execute(gin_file, folder, 'train_and_eval', *steps, records=unlabelled) == 0
    return folder


def weights(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith('model/')]
    return {n: reader.get_tensor(n) for n in names if n.endswith('VALUE')}


def test_all_but_the_classifier_is_taken_over(gin_file, pretrained, one_bucket_texts, tmp_path):
    """A step at learning rate 0 shows what it started from."""
    start = f'RunConfig.warm_start={str(pretrained)!r}'
    for name, params in (('warm', (start, *STILL)), ('cold', STILL)):
        assert execute(gin_file, tmp_path / name, 'train', *params, records=one_bucket_texts) == 0
    source = weights(ModelDir(str(pretrained)).pretrained)
    warm, cold = (weights(tmp_path / n / 'checkpoints') for n in ('warm', 'cold'))
    assert len(source) > 10
    for name, value in warm.items():
        expected = cold if 'classifier' in name else source
        np.testing.assert_array_equal(value, expected[name], err_msg=name)
    assert any((warm[n] != cold[n]).any() for n in warm)


def test_a_resumed_run_does_not_start_again(gin_file, pretrained, one_bucket_texts, tmp_path):
    start = f'RunConfig.warm_start={str(pretrained)!r}'
    steps = [f'RunConfig.train_steps={n}' for n in (2, 4)]
    assert (
        execute(gin_file, tmp_path / 'both', 'train', start, steps[0], records=one_bucket_texts)
        == 0
    )
    assert (
        execute(gin_file, tmp_path / 'both', 'train', start, steps[1], records=one_bucket_texts)
        == 0
    )
    assert (
        execute(gin_file, tmp_path / 'once', 'train', start, steps[1], records=one_bucket_texts)
        == 0
    )
    both, once = (weights(tmp_path / n / 'checkpoints') for n in ('both', 'once'))
    for name, value in once.items():
        np.testing.assert_array_equal(both[name], value, err_msg=name)


def test_a_run_without_classes_says_so(pretrained, gin_file, unlabelled, tmp_path, capsys):
    result = json.loads((pretrained / 'result.json').read_text())
    assert result['finished']
    assert result['test_accuracy'] is result['validation_accuracy'] is None
    capsys.readouterr()
    assert execute(gin_file, pretrained, 'export', records=unlabelled) == 2
    assert 'without classes' in capsys.readouterr().err
    assert execute(gin_file, tmp_path, 'train', records=unlabelled) == 2
    assert 'name no classes' in capsys.readouterr().err


def test_refusals(gin_file, pretrained, one_bucket_texts, digit_records, tmp_path, capsys):
    def refused(records, *params):
        assert execute(gin_file, tmp_path / 'run', 'train', *params, records=records) == 2
        return capsys.readouterr().err.splitlines()[-1]

    start = f'RunConfig.warm_start={str(pretrained)!r}'
    assert "kind='text'" in refused(digit_records, start)
    wider = refused(one_bucket_texts, start, 'ModelConfig.hidden_units=8')
    assert 'main/bias is [32] here and [24] there' in wider
    more = refused(one_bucket_texts, start, 'ObjectiveConfig.prediction_weight=1.0')
    assert 'prediction/head/hidden/bias' in more
    assert 'missing there' in more
    assert 'holds no run' in refused(one_bucket_texts, f'RunConfig.warm_start={str(tmp_path)!r}')
    broken = shutil.copytree(pretrained, tmp_path / 'broken')
    os.truncate(broken / 'pretrained/weights.data-00000-of-00001', 99)
    damaged = refused(one_bucket_texts, f'RunConfig.warm_start={str(broken)!r}')
    assert 'pretrained/weights is damaged' in damaged
    alone = ('RunConfig.pretrain_steps=3', 'ObjectiveConfig.reconstruction_weight=0.0')
    assert 'RunConfig.pretrain_steps=3' in refused(one_bucket_texts, *alone)
