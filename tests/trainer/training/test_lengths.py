"""Runs whose length is given in epochs, and the recipes that do so."""

import dataclasses

import pytest
from experiments import ROOT

from pipelines.format.errors import LonghaulError
from tools.reproduce.budget import Steps
from tools.reproduce.plan import Plan
from tools.reproduce.queue import read_queue
from trainer import bindings
from trainer.training.lengths import in_steps

EPOCHS = ('RunConfig.train_steps=None', 'RunConfig.train_epochs=2.5')
COUNTED = ('RunConfig.eval_interval=None', 'RunConfig.validations=4')


def config_of(*params, files=()):
    return bindings.load(gin_files=list(files), gin_params=list(params), records='none')


@pytest.mark.parametrize(
    ('params', 'per_epoch', 'steps', 'interval'),
    [
        (EPOCHS, 10, 25, 500),
        ((*EPOCHS, *COUNTED), 10, 25, 7),
        ((*EPOCHS, *COUNTED, 'RunConfig.pretrain_steps=15'), 10, 25, 10),
        ((*EPOCHS, *COUNTED), 0, 2, 1),
        (('RunConfig.train_steps=None', 'RunConfig.train_epochs=0.001'), 10, 1, 500),
        (COUNTED, 10, 10_000, 2500),
        ((), 10, 10_000, 500),
    ],
)
def test_epochs_become_steps(params, per_epoch, steps, interval):
    run = in_steps(config_of(*params), steps_per_epoch=per_epoch).run
    assert (run.train_steps, run.eval_interval) == (steps, interval)
    assert (run.train_epochs, run.validations) == (None, None)
    assert run.total_steps == run.pretrain_steps + steps
    assert run.validated_every == interval


def test_steps_stay_as_they_are():
    config = config_of()
    assert in_steps(config, steps_per_epoch=3) == config


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        (
            ['RunConfig.train_epochs=3'],
            'train_epochs=3: either this or RunConfig.train_steps=10000',
        ),
        (['RunConfig.train_steps=None'], 'train_epochs=None: either this or RunConfig.train_steps'),
        (['RunConfig.validations=3'], 'validations=3: either this or RunConfig.eval_interval=500'),
        ([EPOCHS[0], 'RunConfig.train_epochs=0'], 'train_epochs=0: a number in'),
        ([COUNTED[0], 'RunConfig.validations=0'], 'validations=0: a whole number >= 1'),
        ([COUNTED[0], 'RunConfig.validations=1.5'], 'validations=1.5: a whole number'),
    ],
)
def test_one_of_both_is_needed(params, words):
    with pytest.raises(LonghaulError, match=words):
        config_of(*params)


@pytest.mark.parametrize('name', ['photos', 'texts', 'signals'])
def test_a_recipe_trains_in_epochs(name):
    file = str(ROOT / f'gin/{name}.gin')
    config = config_of(files=[file])
    assert config.data.kind == name.removesuffix('s').replace('photo', 'image')
    one, two = (in_steps(config, steps_per_epoch=n).run for n in (10, 1000))
    assert two.train_steps == 100 * one.train_steps
    assert one.total_steps / one.validated_every == pytest.approx(20, abs=1)
    assert config_of('EPOCHS=2', files=[file]).run.train_epochs == 2
    with pytest.raises(LonghaulError, match='either this or RunConfig.train_steps=7'):
        config_of('TRAIN_STEPS=7', files=[file])
    assert config_of('TRAIN_STEPS=7', 'EPOCHS=None', files=[file]).run.train_steps == 7


def test_a_queue_s_budget_cuts_epochs(tmp_path):
    (tmp_path / 'some.queue').write_text('gin/photos.gin --records=some --budget=3epochs\n')
    (entry,) = read_queue(tmp_path / 'some.queue')
    plan = Plan(entry, tmp_path, Steps(0, 400), 10, 0, in_epochs=True, counts_validations=True)
    assert plan.steps(None) == Steps(0, 30)
    params = plan.params(plan.steps(None))
    assert 'RunConfig.train_steps=30' in params
    assert 'RunConfig.train_epochs=None' in params
    assert not [p for p in params if p.startswith('RunConfig.eval_interval')]
    config = config_of(*params, files=[str(ROOT / 'gin/photos.gin')])
    assert in_steps(config, steps_per_epoch=10).run.eval_interval == 2
    other = dataclasses.replace(plan, in_epochs=False, counts_validations=False)
    assert other.params(Steps(0, 30))[-1] == 'RunConfig.eval_interval=10'
