"""A model_dir goes on with its own configuration, or is refused with the difference."""

import dataclasses
import json
from pathlib import Path

import pytest
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer import config
from trainer.run_dir.folder import ModelDir
from trainer.run_dir.same_run import check_same_run

CONFIG = config.Config(
    config.ModelConfig(),
    config.ObjectiveConfig(),
    config.DataConfig(records='here'),
    config.OptimizerConfig(),
    config.RunConfig(),
)


def changed(**sections):
    new = {n: dataclasses.replace(getattr(CONFIG, n), **values) for n, values in sections.items()}
    return dataclasses.replace(CONFIG, **new)


@pytest.fixture
def folder(tmp_path):
    """A run that has been trained for 5 steps."""
    found = ModelDir(str(tmp_path))
    check_same_run(found, CONFIG, change=False)
    step = tf.Variable(5, dtype=tf.int64)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(global_step=step), found.checkpoints, 1
    )
    manager.save()
    return found


def test_what_is_free_may_change(folder):
    other = changed(
        run={'train_steps': 7, 'log_interval': 3, 'path': 'scan', 'patience': 2},
        data={'records': 'there', 'eval_batch_size': 3},
    )
    check_same_run(folder, other, change=False)


def test_the_difference_is_shown(folder):
    other = changed(
        model={'hidden_units': 64}, optimizer={'name': 'adam'}, run={'seed': 3, 'train_steps': 7}
    )
    for _ in range(2):
        with pytest.raises(LonghaulError) as error:
            check_same_run(folder, other, change=False)
        text = str(error.value)
        assert 'ModelConfig.hidden_units was 128, is 64' in text
        assert "OptimizerConfig.name was 'rmsprop', is 'adam'" in text
        assert 'RunConfig.seed was 0, is 3' in text
        assert 'train_steps' not in text
        assert '--allow_changes' in text
    check_same_run(folder, CONFIG, change=False)
    check_same_run(folder, other, change=True)
    check_same_run(folder, other, change=False)


def test_a_run_without_steps_is_anybodys(tmp_path):
    check_same_run(ModelDir(str(tmp_path)), CONFIG, change=False)
    check_same_run(ModelDir(str(tmp_path)), changed(model={'hidden_units': 64}), change=False)


def test_what_an_older_version_did_not_know_it_did_as_the_defaults_say(folder):
    """A config.json of before goes on, and is no readout."""
    path = Path(folder.path) / 'config.json'
    saved = json.loads(path.read_text())
    later = ['model.readout_units', 'data.trailing_steps']
    later += [
        f'objective.{name}'
        for name in (
            'reconstruction_form',
            'prediction_form',
            'decoder_knows_distance',
            'relative_losses',
            'anchors_per_window',
            'anchor_placement',
            'readout_distances',
            'distance_placement',
        )
    ]
    before = {name: value for name, value in saved.items() if name not in later}
    assert len(before) == len(saved) - 10
    path.write_text(json.dumps(before))
    other = changed(objective={'reconstruction_form': 'readout', 'relative_losses': True})
    with pytest.raises(LonghaulError) as error:
        check_same_run(folder, other, change=False)
    text = str(error.value)
    assert "ObjectiveConfig.reconstruction_form was 'decoder', is 'readout'" in text
    assert 'ObjectiveConfig.relative_losses was False, is True' in text
    check_same_run(folder, CONFIG, change=False)
    assert json.loads(path.read_text()) == saved
