"""Two mirrored replicas train a baseline as one device does on the same global batches."""

import gin
import numpy as np
import pytest
import small_data
from whole_runs import variables

from trainer import bindings
from trainer.training.run import Run

STEPS = 6
PARAMS = [
    *small_data.TINY_RUN,
    'ObjectiveConfig.reconstruction_weight=0.0',
    'ModelConfig.embedding_units=8',
    'ModelConfig.transformer_heads=2',
    # Small enough that clipping acts on every step: it must see the sum over the replicas.
    'OptimizerConfig.global_clipnorm=0.05',
    f'RunConfig.train_steps={STEPS}',
]


def train(name, records, model_dir, strategy):
    """All weights after training, and the evaluation of the test split."""
    params = [*PARAMS, f"ModelConfig.architecture='{name}'"]
    settings = bindings.load(gin_files=[], gin_params=params, records=records)
    run = Run(settings, str(model_dir), strategy=strategy)
    run.train(operative_config=gin.operative_config_str(), validate=False)
    weights = {k: v for k, v in variables(model_dir).items() if k.startswith('model/')}
    return weights, run.evaluate('test')


@pytest.mark.long
@pytest.mark.parametrize('name', ['gru', 'transformer'])
def test_weights_and_evaluations_agree(name, strategies, digit_records, tmp_path):
    """Within 2e-5, a fiftieth of one step's learning rate: RMSProp magnifies rounding."""
    (one, one_logs), (two, two_logs) = (
        train(name, digit_records, tmp_path / key, strategies[key]) for key in ('one', 'two')
    )
    assert one.keys() == two.keys()
    assert len(one) >= 10
    for key, value in one.items():
        np.testing.assert_allclose(two[key], value, atol=2e-5, err_msg=key)
    assert two_logs['supervised_loss'] == pytest.approx(one_logs['supervised_loss'], rel=1e-4)
