"""Runs with a share of labelled examples: what reaches the losses, and how they resume."""

import numpy as np
import pytest
import small_data
from whole_runs import execute, killed_after, variables

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from trainer import bindings
from trainer.data import checks
from trainer.data.batches import Rows, SplitInput
from trainer.training.task import LonghaulTask

PARAMS = [
    *small_data.TINY_RUN,
    'RunConfig.pretrain_steps=3',
    'RunConfig.train_steps=4',
    'RunConfig.log_interval=1',
    'RunConfig.checkpoint_interval=2',
]


@pytest.fixture(scope='module')
def few_records(tmp_path_factory):
    """Digits, of whose training items 20 have labels."""
    folder = tmp_path_factory.mktemp('few') / 'records'
    code = small_data.run_job(
        '--source=builtin:digits',
        '--image_size=8',
        '--segment_steps=20',
        '--auxiliary_steps=16',
        '--limit=100',
        '--labels=20',
        f'--output={folder}',
    )
    assert code == 0
    return str(folder)


def config_of(folder, *params):
    return bindings.load(gin_files=[], gin_params=[*PARAMS, *params], records=folder)


@pytest.mark.parametrize(('share', 'count'), [(0.5, 8), (1.0, 16)])
def test_batches_of_records_have_the_share(few_records, share, count):
    config, info = config_of(few_records), records.read_info(few_records)
    split = SplitInput(few_records, 'train', info, config.objective, seed=0)
    order = split.order(16, labelled_share=share)
    assert order.steps_per_epoch == split.order(16).steps_per_epoch
    for first in (0, 5):
        batches = split.training(order, first_step=first, parts=[Rows(0, 1)]).take(2)
        for batch in batches.as_numpy_iterator():
            assert (batch['labels'] >= 0).sum() == count


def noted(monkeypatch):
    """The labelled rows of each training step, by phase."""
    found, gradients = [], LonghaulTask.gradients

    def note(self, inputs, model, step):
        import tensorflow as tf

        def count(labels):
            found.append((self.objective.supervised, int((labels >= 0).sum())))
            return np.int32(0)

        with tf.control_dependencies([tf.numpy_function(count, [inputs['labels']], tf.int32)]):
            return gradients(self, {k: tf.identity(v) for k, v in inputs.items()}, model, step)

    monkeypatch.setattr(LonghaulTask, 'gradients', note)
    return found


@pytest.mark.long
def test_the_share_is_that_of_the_joint_phase_and_resumes(few_records, tmp_path, monkeypatch):
    """Pre-trained on all, then trained on the labelled: one gin file."""
    gin_file = tmp_path / 'tiny.gin'
    gin_file.write_text('\n'.join([*PARAMS, 'DataConfig.labelled_share=1.0']) + '\n')
    place = (str(gin_file), tmp_path / 'whole', 'train')
    with monkeypatch.context() as patch:
        steps = noted(patch)
        assert execute(*place, records=few_records) == 0
    assert [supervised for supervised, _ in steps] == [False] * 3 + [True] * 4
    assert all(count < 16 for _, count in steps[:3])
    assert [count for _, count in steps[3:]] == [16] * 4
    want = variables(tmp_path / 'whole')
    with killed_after(5, monkeypatch):
        execute(str(gin_file), tmp_path / 'killed', 'train', records=few_records)
    assert execute(str(gin_file), tmp_path / 'killed', 'train', records=few_records) == 0
    got = variables(tmp_path / 'killed')
    assert got.keys() == want.keys()
    for name, value in want.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize('value', [-0.1, 1.1, True, "'half'"])
def test_a_share_is_a_number_from_0_to_1(value):
    with pytest.raises(LonghaulError, match='DataConfig.labelled_share.*in 0..1 is needed'):
        config_of('x', f'DataConfig.labelled_share={value}')


def test_what_cannot_be_is_refused_before_any_phase(few_records, digit_records):
    few, all_labelled = records.read_info(few_records), records.read_info(digit_records)
    checks.check(config_of(few_records, 'DataConfig.labelled_share=0.5'), few)
    half = config_of(digit_records, 'DataConfig.labelled_share=0.5')
    with pytest.raises(LonghaulError, match='=0.5: all [0-9]+ examples .* have labels'):
        checks.check(half, all_labelled)
    checks.check(config_of(digit_records, 'DataConfig.labelled_share=1.0'), all_labelled)
    with pytest.raises(LonghaulError, match='=0.01: of DataConfig.batch_size=16 that is no row'):
        checks.check(config_of(few_records, 'DataConfig.labelled_share=0.01'), few)
    # Of auxiliary losses alone, nothing is asked.
    alone = ('DataConfig.labelled_share=0.5', 'RunConfig.train_steps=0')
    checks.check(config_of(digit_records, *alone), all_labelled)
