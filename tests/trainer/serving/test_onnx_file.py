"""The ONNX model: in another runtime it answers as the signature does, or is refused."""

import exports
import numpy as np
import pytest
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.serving import alike, export, onnx_file
from trainer.serving.module import ServingModule

onnxruntime = pytest.importorskip('onnxruntime', reason='make setup installs it')


def module_of(kind):
    return ServingModule(exports.model_of(kind), exports.SPECS[kind], exports.CLASSES)


@pytest.mark.parametrize('kind', ['image', 'bytes', 'characters', 'signal'])
def test_it_answers_as_the_signature_does(tmp_path, kind):
    """Several rows of other lengths in one batch; `bytes` is read by a GRU."""
    spec, path, module = exports.SPECS[kind], tmp_path / 'x.onnx', module_of(kind)
    said = onnx_file.write_onnx(str(path), module, spec)
    assert 'the same class, and probabilities that differ by no more than' in said
    session = onnxruntime.InferenceSession(path.read_bytes())
    random, steps = np.random.default_rng(1), spec.fixed_length or 21
    shape, most = [3, steps, *spec.step_shape], spec.vocabulary_size or 256
    values = random.integers(0, most, shape)
    if spec.dtype == 'float16':
        values = random.normal(size=shape)
    feed = {'inputs': values.astype(spec.dtype), 'lengths': np.array([steps, 1, 9], np.int32)}
    (found,) = session.run(['probabilities'], feed)
    wanted = module.tokens({key: tf.constant(value) for key, value in feed.items()})
    assert np.ptp(wanted['probabilities'], axis=0).max() > 1e-3
    np.testing.assert_allclose(found, wanted['probabilities'], atol=1e-5)


@pytest.mark.long
def test_an_export_has_it_and_its_card_says_so(tmp_path):
    run = exports.run_of('signal', tmp_path / 'run')
    folder = export.export(exports.config_of('signal'), run.path, tflite=False, onnx=True)
    with tf.io.gfile.GFile(f'{folder}/README.md') as card:
        assert '`model.onnx` in the same folder is the signature `tokens` for ONNX' in card.read()
    assert tf.io.gfile.exists(f'{folder}/model.onnx')


def test_one_that_differs_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_file, '_ordered', lambda weights, *_: weights)
    with pytest.raises(LonghaulError, match=r'^--onnx: on \d random sequences its .*; leave'):
        onnx_file.write_onnx(str(tmp_path / 'x'), module_of('signal'), exports.SPECS['signal'])
    assert not list(tmp_path.iterdir())


def test_what_is_no_number_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(alike, 'compare', lambda *_: alike.Compared(float('nan'), 9))
    with pytest.raises(LonghaulError, match='its probabilities differ by up to nan; leave'):
        onnx_file.write_onnx(str(tmp_path / 'x'), module_of('signal'), exports.SPECS['signal'])


@pytest.mark.parametrize(
    ('kind', 'missing', 'words'),
    [
        ('transformer', (), 'a TransformerClassifier has no ONNX model, an LSTM and a GRU have'),
        ('signal', ('onnx', 'onnxruntime'), 'onnx and onnxruntime not installed; pip install'),
    ],
)
def test_what_cannot_be_had_is_refused_before_anything_is_written(
    tmp_path, monkeypatch, kind, missing, words
):
    monkeypatch.setattr(
        onnx_file.importlib.util, 'find_spec', lambda name: None if name in missing else name
    )
    run = exports.run_of(kind, tmp_path / 'run')
    with pytest.raises(LonghaulError, match=f'^--onnx: {words}'):
        export.export(exports.config_of(kind), run.path, tflite=False, onnx=True)
    assert not tf.io.gfile.exists(f'{run.path}/export')
