"""What relative losses are divided by: from the records' stats.json, or refused in words."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from small_models import config_of, task_of

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from trainer.data.batches import SplitInput
from trainer.models.loss_scales import loss_scales

RELATIVE = 'ObjectiveConfig.relative_losses=True'
ENTROPY = "ObjectiveConfig.pixel_loss='cross_entropy'"


def scales_of(folder, *params):
    config = config_of(folder, *params)
    return loss_scales(config, records.read_info(folder))


def values_of(folder):
    """All values of the training split, [N, C]; texts as one channel."""
    config = config_of(folder)
    info = task_of(config).info
    split = SplitInput(folder, 'train', info, config.objective, seed=0)
    found = split.read(np.arange(len(split.reader)))
    columns = found['inputs']
    columns = columns.reshape(*columns.shape[:2], -1)
    there = np.arange(columns.shape[1]) >= columns.shape[1] - found['lengths'][:, np.newaxis]
    return columns[there]


def entropies(values):
    found = []
    for column in values.T:
        shares = np.unique(column, return_counts=True)[1] / len(column)
        found.append(-(shares * np.log(shares)).sum())
    return found


def test_the_variance_of_values(digit_records, signal_records):
    images, signals = values_of(digit_records) / 255, values_of(signal_records).astype(float)
    np.testing.assert_allclose(scales_of(digit_records, RELATIVE), images.var(axis=0), rtol=1e-9)
    np.testing.assert_allclose(scales_of(signal_records, RELATIVE), signals.var(axis=0), rtol=1e-6)


def test_the_entropy_of_what_is_told_apart(digit_records, text_records):
    images, texts = entropies(values_of(digit_records)), entropies(values_of(text_records))
    np.testing.assert_allclose(scales_of(digit_records, RELATIVE, ENTROPY), images, rtol=1e-9)
    np.testing.assert_allclose(scales_of(text_records, RELATIVE), texts, rtol=1e-9)


def test_nothing_where_losses_are_as_they_are(digit_records):
    assert scales_of(digit_records) is None
    assert scales_of(digit_records, RELATIVE, 'ObjectiveConfig.reconstruction_weight=0.0') is None


def test_always_saying_the_average_costs_one(digit_records):
    """The model's own losses, with outputs that are the mean."""
    values = values_of(digit_records) / 255
    model = task_of(config_of(digit_records, RELATIVE)).build_model()
    said = tf.fill(values.shape, tf.constant(values.mean()))
    loss = model.reconstruction._loss(said, tf.constant(values))
    assert float(np.mean(loss)) == pytest.approx(1, rel=1e-6)


def edited(source, folder, change):
    """A copy of records whose stats.json was changed, as an older job would have written it."""
    shutil.copytree(source, folder)
    stats = json.loads((folder / records.STATS_NAME).read_text())
    change(stats)
    text = json.dumps(stats)
    (folder / records.STATS_NAME).write_text(text)
    described = json.loads((folder / records.FILE_NAME).read_text())
    described['files'][records.STATS_NAME] = hashlib.sha256(text.encode()).hexdigest()
    (folder / records.FILE_NAME).write_text(json.dumps(described))
    return str(folder)


def test_a_channel_that_never_changes_costs_nothing(signal_records, tmp_path):
    """Its deviation may be a rounding error."""

    def freeze(stats):
        stats['values']['train']['deviation'][1] = 1e-6

    found = scales_of(edited(signal_records, tmp_path / 'copy', freeze), RELATIVE)
    assert found[1] == 0
    assert found[0] > 0


def test_records_of_an_older_job_are_refused(digit_records, tmp_path):
    folder = edited(digit_records, tmp_path / 'old', lambda stats: stats.pop('entropy'))
    assert scales_of(folder, RELATIVE) is not None
    with pytest.raises(LonghaulError) as error:
        scales_of(folder, RELATIVE, ENTROPY)
    text = str(error.value)
    assert 'ObjectiveConfig.relative_losses=True' in text
    assert f'{Path(folder)} has no entropy' in text
    assert 'python -m pipelines.main --overwrite' in text
    assert '--gin_param="ObjectiveConfig.relative_losses=False"' in text
