"""The gin files that we ship, and what may be said on the command line."""

import dataclasses
import re

import pytest
from experiments import EXPERIMENTS, ROOT, name_of

from pipelines.format.errors import LonghaulError
from trainer import bindings

LOSSES = {'r_lstm': (True, False), 'p_lstm': (False, True), 'rp_lstm': (True, True)}


def load(*params, files=(), **kwargs):
    return bindings.load(gin_files=[str(f) for f in files], gin_params=list(params), **kwargs)


@pytest.mark.parametrize('path', EXPERIMENTS, ids=name_of)
def test_every_experiment_resolves_from_any_folder(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = load(files=[path], records='somewhere')
    assert config.data.records == 'somewhere'
    text = path.read_text()
    for line in ('# Paper (Trinh et al. 2018): ', '# Required: RECORDS', '# Often ', '# Here: '):
        assert f'\n{line}' in text, line
    used = [f for f in dataclasses.fields(config) if getattr(config, f.name) is not None]
    assert len(used) == 5
    with pytest.raises(LonghaulError, match='RECORDS: required by the gin file; add --records=DIR'):
        load(files=[path])


def test_the_places_where_a_file_is_not_are_not_logged(monkeypatch, tmp_path, caplog):
    monkeypatch.chdir(tmp_path)
    assert load(files=['gin/digits/r_lstm.gin'], records='somewhere').data.kind == 'image'
    assert caplog.records == []
    with pytest.raises(LonghaulError, match='--gin_file: .*gin/digits/none.gin'):
        load(files=['gin/digits/none.gin'])


# What did best is named after its data, and so are the recipes for data of one's own.
NAMED = [
    path
    for path in EXPERIMENTS
    if path.parent.name != 'best' and path.stem not in ('photos', 'texts', 'signals')
]


@pytest.mark.parametrize('path', NAMED, ids=name_of)
def test_an_experiment_is_what_its_name_says(path):
    config = load(files=[path], records='somewhere')
    name = 'r_lstm' if path.stem == 'dogs_16k' else path.stem
    model, detail = re.fullmatch('(lstm|r_lstm|p_lstm|rp_lstm|transformer)_?(.*)', name).groups()
    objective, side = config.objective, config.data.image_size
    losses = objective.reconstruction_weight > 0, objective.prediction_weight > 0
    assert losses == LOSSES.get(model, (False, False))
    assert config.model.architecture == ('transformer' if model == 'transformer' else 'lstm')
    bptt_steps = {'digits': 102, 'study': 50}.get(path.parent.name, 300)
    if detail == 'full':
        bptt_steps = side**2
    assert (objective.supervised_bptt_steps, objective.auxiliary_bptt_steps) == (bptt_steps,) * 2
    assert side is None or objective.auxiliary_steps < side**2


def test_a_side_is_a_macro():
    config = load('SIDE=32', files=[ROOT / 'gin/dogs/r_lstm.gin'], records='somewhere')
    assert config.data.image_size == 32


def test_the_paper_s_numbers():
    """Section 4: 128 units, 256 in the heads, DropConnect 0.5, truncation 300, L = 600, RMSProp."""
    config = load(files=[ROOT / 'gin/mnist/r_lstm_300.gin'], records='somewhere')
    model, objective, optimizer = config.model, config.objective, config.optimizer
    assert (model.embedding_units, model.hidden_units, model.head_units) == (128, 128, 256)
    assert (model.dropconnect_rate, model.forget_bias) == (0.5, 1.0)
    assert (objective.supervised_bptt_steps, objective.auxiliary_bptt_steps) == (300, 300)
    assert (objective.auxiliary_steps, objective.anchors_per_sequence) == (600, 1)
    assert (optimizer.name, optimizer.rho, optimizer.learning_rate) == ('rmsprop', 0.9, 0.001)
    assert optimizer.global_clipnorm == 1.0
    assert config.data.batch_size == 128


def test_parameters_win_over_files_and_records_over_both():
    file = ROOT / 'gin/digits/r_lstm.gin'
    config = load('DataConfig.records="a"', 'RunConfig.seed=5', files=[file], records='b')
    assert (config.run.seed, config.data.records) == (5, 'b')
    assert load(files=[file], records='b').run.seed == 0, 'a binding outlived its call'


@pytest.mark.parametrize(
    ('param', 'words'),
    [
        ('RunConfig.seed=%UNSET', ['UNSET']),
        ('RunConfig.seed=@nothing()', ['nothing']),
        ('OptimizerConfig.momentum=1', ['OptimizerConfig', 'momentum', 'did you mean']),
        ('ModelConfig.dropconnect_rate=1.5', ['ModelConfig.dropconnect_rate=1.5', '0.99']),
        ('ModelConfig.head_units=2147483648', ['a whole number <= 16777216 is needed']),
        ('ModelConfig.architecture=lstm', ['give --gin_param="ModelConfig.architecture=\'lstm\'"']),
        ('RunConfig.diagnostics = false', ['give --gin_param="RunConfig.diagnostics=False"']),
        ('RunConfig.seed=nan', ['nan is a text without quotes']),
        ('TRAIN_STPS=3', ['TRAIN_STPS', 'no gin file has a macro']),
        ('ObjectiveConfig.teacher_forcing_final_rate=0', ['teacher_forcing_decay_steps']),
        ("ObjectiveConfig.pixel_loss='l1'", ["pixel_loss='l1'", 'cross_entropy']),
        (
            "ObjectiveConfig.reconstruction_form='lstm'",
            ["form='lstm': one of ('decoder', 'readout"],
        ),
        ("ObjectiveConfig.prediction_form='decoder'", ["form='decoder': one of ('lstm', 'readout"]),
        ("ObjectiveConfig.anchor_placement='late'", ["placement='late'", "'stratified', 'early'"]),
        ("ObjectiveConfig.distance_placement='near'", ["placement='near'", "'log_uniform'"]),
        ('ObjectiveConfig.relative_losses=1', ['relative_losses=1: True or False is needed']),
        ('ObjectiveConfig.readout_distances=0', ['readout_distances=0', 'whole number >= 1']),
        ('ObjectiveConfig.anchors_per_window=2', ['anchors_per_window=2', 'and 1 without']),
        ('ObjectiveConfig.replication_weight=-1', ['replication_weight=-1', '0']),
        ('ModelConfig.readout_units=0', ['ModelConfig.readout_units=0', '>= 1']),
        ('ObjectiveConfig.auxiliary_steps=True', ['auxiliary_steps=True', 'whole number']),
    ],
)
def test_refusals_are_one_line(param, words):
    with pytest.raises(LonghaulError) as caught:
        load(param)
    message = str(caught.value)
    assert '\n' not in message
    assert all(word in message for word in words), message


@pytest.mark.parametrize(
    ('params', 'words'),
    [
        (
            ['ObjectiveConfig.auxiliary_bptt_steps=20', 'ObjectiveConfig.anchors_per_window=21'],
            'ObjectiveConfig.anchors_per_window=21: at most '
            'ObjectiveConfig.auxiliary_bptt_steps=20 is allowed for a readout',
        ),
        (
            ['ObjectiveConfig.auxiliary_bptt_steps=0'],
            'ObjectiveConfig.auxiliary_bptt_steps=0: a readout and replication_weight need windows '
            'of at least 1 step. '
            'Change it in the gin file or with --gin_param="ObjectiveConfig.auxiliary_bptt_steps=',
        ),
    ],
)
def test_a_readout_needs_a_window_for_its_anchors(params, words):
    form = "ObjectiveConfig.reconstruction_form='readout'"
    weight = 'ObjectiveConfig.reconstruction_weight=1.0'
    with pytest.raises(LonghaulError) as caught:
        load(form, weight, *params)
    assert words in str(caught.value)
    assert load(form, params[0]).objective.readouts == ()
    assert load(form, weight, 'ObjectiveConfig.anchors_per_window=300').objective.readouts


def test_replicated_targets_share_windows_and_need_an_lstm():
    weight = 'ObjectiveConfig.replication_weight=1.0'
    found = load(weight, 'ObjectiveConfig.anchors_per_window=300').objective
    assert found.anchored
    assert not found.auxiliary
    with pytest.raises(LonghaulError, match='auxiliary_bptt_steps=0: a readout and replication'):
        load(weight, 'ObjectiveConfig.auxiliary_bptt_steps=0')
    with pytest.raises(LonghaulError, match="replication_weight=1.0: .*'gru' has no auxiliary"):
        load(weight, "ModelConfig.architecture='gru'")


def test_a_macro_is_set_on_the_command_line_and_misspelt_ones_are_refused():
    file = ROOT / 'gin/mnist/p_lstm_300.gin'
    config = load('TRAIN_STEPS=7', 'BPTT_STEPS = 50', files=[file], records='somewhere')
    assert config.run.train_steps == 7
    assert config.objective.supervised_bptt_steps == config.objective.auxiliary_bptt_steps == 50
    with pytest.raises(LonghaulError, match='no gin file has a macro BPTT_STPS; did you mean BPTT'):
        load('BPTT_STPS=50', files=[file], records='somewhere')
