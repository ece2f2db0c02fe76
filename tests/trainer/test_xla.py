"""A replica's step is one that XLA compiles: static, without the host, and with the same result.

The offline half of "runs on a TPU"; what it leaves open is in docs/scaling.md.
"""

import functools

import pytest
import xla_step
from experiments import EXPERIMENTS, name_of
from quick import quick_or_long
from xla_step import Step

from trainer import bindings
from trainer.config import (
    Config,
    DataConfig,
    ModelConfig,
    ObjectiveConfig,
    OptimizerConfig,
    RunConfig,
)

pytestmark = pytest.mark.long

# Attention over so many steps takes minutes and gigabytes here, compiled or not.
LONGEST_ATTENTION = 1100

READOUTS = {'reconstruction_form': 'readout', 'prediction_form': 'readout', 'readout_distances': 5}
R, P = {'reconstruction_weight': 1.0}, {'prediction_weight': 0.5}
# 64 steps in segments of 20, with anchors for L = 16, as in the small records.
CASES = {
    'plain': {},
    'r': {**R, 'anchors_per_sequence': 2},
    'p': P,
    'rp': {**R, **P, 'anchors_per_sequence': 3},
    'rp_uncut': {**R, **P, 'supervised_bptt_steps': 64, 'auxiliary_bptt_steps': 1000},
    'head_alone': {**R, 'supervised_bptt_steps': 0, 'auxiliary_bptt_steps': 0},
    'unfed': {**R, 'teacher_forcing_rate': 0.5},
    'readouts': {**R, **P, **READOUTS, 'anchors_per_window': 4, 'anchors_per_sequence': 2},
    'replicated': {'replication_weight': 1.0, 'anchors_per_window': 4, 'anchors_per_sequence': 2},
    'told': {**R, 'decoder_knows_distance': True},
    'unfed_levels': {**R, **P, 'teacher_forcing_rate': 0.0, 'pixel_loss': 'cross_entropy'},
}


def make_config(*, kind: str = 'image', **objective) -> Config:
    sizes = {'supervised_bptt_steps': 20, 'auxiliary_bptt_steps': 20, 'auxiliary_steps': 16}
    return Config(
        ModelConfig(),
        ObjectiveConfig(**{**sizes, **objective}),
        DataConfig(kind=kind, batch_size=4),
        OptimizerConfig(),
        RunConfig(),
    )


def make_step(config: Config, **options) -> Step:
    return Step(config, xla_step.make_info(config, segment_steps=20, side=8), **options)


@pytest.mark.parametrize('name', quick_or_long(CASES, ['rp', 'readouts']))
def test_gradients(name):
    xla_step.check_gradients(make_step(make_config(**CASES[name])))


@pytest.mark.parametrize(
    ('kind', 'name'),
    [
        pytest.param('text', 'rp', marks=pytest.mark.long),
        pytest.param('text', 'unfed', marks=pytest.mark.long),
        pytest.param('signal', 'rp', marks=pytest.mark.long),
        ('text', 'readouts'),
    ],
)
def test_gradients_of_documents(kind, name):
    xla_step.check_gradients(make_step(make_config(kind=kind, **CASES[name]), segments=4))


def test_gradients_of_documents_without_a_cut():
    config = make_config(kind='text', **CASES['rp_uncut'])
    xla_step.check_gradients(make_step(config, segments=1))


@pytest.mark.parametrize('name', quick_or_long(['rp', 'readouts'], ['readouts']))
def test_gradients_of_the_auxiliary_phase(name):
    xla_step.check_gradients(make_step(make_config(**CASES[name]), supervised=False))


@pytest.mark.parametrize('kind', ['image', 'text'])
def test_evaluation(kind):
    xla_step.check_evaluation(make_step(make_config(kind=kind, **R, **P), segments=3))


@functools.cache
def check(config: Config) -> None:
    """Once for experiments that differ in nothing that a step is made of."""
    info = xla_step.make_info(config)
    step = Step(config, info)
    attends = config.model.architecture == 'transformer'
    if attends and step.inputs['inputs'].shape[1] > LONGEST_ATTENTION:
        xla_step.check_compiles(step)
        return
    xla_step.check_gradients(step)
    xla_step.check_evaluation(step)
    if config.run.pretrain_steps:
        xla_step.check_gradients(Step(config, info, supervised=False))


@pytest.fixture(scope='module')
def records(tmp_path_factory):
    """One folder for all, else no two experiments would be the same to `check`."""
    return xla_step.write_stats(tmp_path_factory.mktemp('records'))


@pytest.mark.parametrize('path', EXPERIMENTS, ids=name_of)
def test_every_experiment(path, records):
    """At its own T, S, L and K."""
    config = bindings.load(gin_files=[str(path)], gin_params=[], records=records)
    run = RunConfig(pretrain_steps=min(1, config.run.pretrain_steps))
    check(Config(config.model, config.objective, config.data, OptimizerConfig(), run))
