"""Two mirrored replicas train as one device does on the same global batches."""

import gin
import numpy as np
import pytest
import small_data
import tensorflow as tf

from trainer import bindings
from trainer.run_dir.folder import ModelDir
from trainer.training.run import Run

STEPS = 8
PARAMS = [
    *small_data.TINY_RUN,
    'ObjectiveConfig.prediction_weight=1.0',
    # Small enough that clipping acts on every step: it must see the sum over the replicas.
    'OptimizerConfig.global_clipnorm=0.05',
    f'RunConfig.train_steps={STEPS}',
]


def train(records, model_dir, strategy):
    """Weights after training, and the evaluation of the test split."""
    settings = bindings.load(gin_files=[], gin_params=PARAMS, records=records)
    run = Run(settings, str(model_dir), strategy=strategy)
    run.train(operative_config=gin.operative_config_str(), validate=False)
    reader = tf.train.load_checkpoint(ModelDir(str(model_dir)).checkpoints)
    names = [n for n in reader.get_variable_to_shape_map() if n.startswith('model/')]
    return {n: reader.get_tensor(n) for n in names if n.endswith('VALUE')}, run.evaluate('test')


@pytest.fixture(scope='module')
def both(strategies, digit_records, tmp_path_factory):
    folder = tmp_path_factory.mktemp('mirrored')
    return {k: train(digit_records, folder / k, s) for k, s in strategies.items()}


def test_weights_agree(both):
    """Within 2e-5, a fiftieth of one step's learning rate: RMSProp magnifies rounding."""
    one, two = both['one'][0], both['two'][0]
    assert one.keys() == two.keys()
    assert len(one) > 20
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, atol=2e-5, err_msg=name)


def test_evaluations_agree_and_count_every_example_once(both):
    one, two = both['one'][1], both['two'][1]
    assert one['labelled'] == two['labelled'] == 200
    assert one['accuracy'] == pytest.approx(two['accuracy'], abs=0.011)
    for name in ('supervised_loss', 'reconstruction_loss', 'prediction_loss'):
        assert two[name] == pytest.approx(one[name], rel=1e-4)
