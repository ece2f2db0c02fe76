"""The gin files that we ship, and what may be said on the command line."""

from pathlib import Path

import pytest

from pipelines.format.errors import LonghaulError
from trainer import bindings

ROOT = Path(__file__).parents[2]
EXPERIMENTS = sorted((ROOT / 'gin').glob('*.gin'))


def load(*params, files=(), **kwargs):
    return bindings.load(gin_files=[str(f) for f in files], gin_params=list(params), **kwargs)


@pytest.mark.parametrize('path', EXPERIMENTS, ids=lambda p: p.stem)
def test_every_experiment_resolves_from_any_folder(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    config = load(files=[path], records='somewhere')
    assert config.data.records == 'somewhere'
    assert config.objective.auxiliary
    text = path.read_text()
    assert text.startswith('# ')
    assert '# Required: ' in text


def test_the_paper_s_numbers():
    """Section 4: 128 units, 256 in the heads, DropConnect 0.5, truncation 300, L = 600, RMSProp."""
    config = load(files=[ROOT / 'gin' / 'mnist.gin'])
    model, objective, optimizer = config.model, config.objective, config.optimizer
    assert (model.embedding_units, model.hidden_units, model.head_units) == (128, 128, 256)
    assert (model.dropconnect_rate, model.forget_bias) == (0.5, 1.0)
    assert (objective.supervised_bptt_steps, objective.auxiliary_bptt_steps) == (300, 300)
    assert (objective.auxiliary_steps, objective.anchors_per_sequence) == (600, 1)
    assert (optimizer.name, optimizer.rho, optimizer.learning_rate) == ('rmsprop', 0.9, 0.001)
    assert optimizer.global_clipnorm == 1.0
    assert config.data.batch_size == 128


def test_parameters_win_over_files_and_records_over_both():
    file = ROOT / 'gin' / 'digits.gin'
    config = load('DataConfig.records="a"', 'RunConfig.seed=5', files=[file], records='b')
    assert (config.run.seed, config.data.records) == (5, 'b')
    assert load(files=[file]).run.seed == 0, 'a binding outlived its call'


@pytest.mark.parametrize(
    ('param', 'words'),
    [
        ('RunConfig.seed=%UNSET', ['UNSET']),
        ('RunConfig.seed=@nothing()', ['nothing']),
        ('OptimizerConfig.momentum=1', ['OptimizerConfig', 'momentum', 'did you mean']),
        ('ModelConfig.dropconnect_rate=1.5', ['ModelConfig.dropconnect_rate=1.5', '0.99']),
        ('ObjectiveConfig.auxiliary_steps=True', ['auxiliary_steps=True', 'whole number']),
    ],
)
def test_refusals_are_one_line(param, words):
    with pytest.raises(LonghaulError) as caught:
        load(param)
    message = str(caught.value)
    assert '\n' not in message
    assert all(word in message for word in words), message
