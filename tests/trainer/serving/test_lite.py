"""The TFLite model: it answers alike or is not there, and the card says which."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.format.spec import SequenceSpec, character_spec
from trainer import config
from trainer.models.architectures import make_model
from trainer.serving import alike, lite
from trainer.serving.module import ServingModule

NAMES = ('a', 'b', 'c')


def module(spec: SequenceSpec) -> ServingModule:
    settings = config.Config(
        model=config.ModelConfig(hidden_units=8, embedding_units=4, head_units=8),
        objective=config.ObjectiveConfig(reconstruction_weight=0.0, prediction_weight=0.0),
        data=config.DataConfig(),
        optimizer=config.OptimizerConfig(),
        run=config.RunConfig(pretrain_steps=0),
    )
    return ServingModule(make_model(settings, spec, classes=3), spec, NAMES)


@pytest.mark.parametrize(
    ('spec', 'inputs'),
    [
        (SequenceSpec('image', image_size=5, channels=3), np.arange(75, dtype=np.uint8)),
        (character_spec().with_vocabulary('xyz'), np.arange(4, dtype=np.int32)),
    ],
    ids=['image', 'characters'],
)
def test_it_answers_as_the_signature_does(tmp_path, spec, inputs):
    path = tmp_path / lite.FILE_NAME
    this = module(spec)
    said = lite.write_lite(str(path), this, spec)
    assert 'the same class, and probabilities that differ by no more than' in said
    shape = [1, 25, 3] if spec.kind == 'image' else [1, 4]
    inputs = inputs.reshape(shape)
    runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    found = runner(inputs=inputs)['probabilities']
    whole = {'inputs': tf.constant(inputs, spec.dtype), 'lengths': tf.constant([shape[1]])}
    np.testing.assert_allclose(found, this.tokens(whole)['probabilities'], atol=1e-5)


def test_one_that_differs_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(lite, '_compare', lambda *_: alike.Compared(2e-5, 3))
    spec = character_spec().with_vocabulary('xyz')
    said = lite.write_lite(str(tmp_path / 'x'), module(spec), spec)
    assert said == (
        'No TFLite model: on 3 random sequences its probabilities differ by up to 2.0e-05.'
    )
    assert not list(tmp_path.iterdir())


def test_no_number_is_no_agreement(tmp_path, monkeypatch):
    class Runner:
        def __init__(self, **_):
            pass

        def get_signature_runner(self):
            return lambda inputs: {'probabilities': np.array([[np.nan, 0, 0]])}

    def signature(inputs):
        return {'probabilities': tf.constant([[1.0, 0, 0]])}

    monkeypatch.setattr(tf.lite, 'Interpreter', Runner)
    worst, count = lite._compare(b'', signature, character_spec().with_vocabulary('xyz'))
    assert np.isnan(worst)
    assert count == 9
    monkeypatch.setattr(lite, '_compare', lambda *_: alike.Compared(worst, count))
    spec = character_spec().with_vocabulary('xyz')
    said = lite.write_lite(str(tmp_path / 'x'), module(spec), spec)
    assert said == 'No TFLite model: on 9 random sequences its probabilities differ by up to nan.'
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_converted_is_said(tmp_path, monkeypatch):
    def convert(self):
        raise RuntimeError('tf.Unheard op\nand more')

    monkeypatch.setattr(tf.lite.TFLiteConverter, 'from_concrete_functions', convert)
    spec = character_spec().with_vocabulary('xyz')
    said = lite.write_lite(str(tmp_path / 'x'), module(spec), spec)
    assert said.startswith('No TFLite model: the converter cannot take this one (')
