"""Reading in chunks and recalling, for every kind of data and model, with untrained weights."""

import numpy as np
import pytest
import small_models
import tensorflow as tf

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from tools.inspect.stored import Records
from tools.report import recall, reconstructions, weights
from tools.report.recall import Stretch
from tools.report.run_files import RunFiles
from trainer.bptt.sequences import right_aligned


def run_of(folder: str, config, **changes) -> RunFiles:
    info = records.read_info(folder)
    values = {
        'folder': 'run',
        'name': 'run',
        'spec': info.spec,
        'class_names': info.class_names,
        'config': config,
        'records': folder,
        'command': '',
        'commits': (),
        'validations': (),
        'evaluations': {},
        'result': {},
    }
    return RunFiles(**values | changes)


def some(folder: str, count: int = 5) -> list[np.ndarray]:
    return [example.values for example in Records(folder).spread(count)]


@pytest.mark.parametrize('kind', ['digit_records', 'text_records', 'signal_records'])
def test_chunks_end_in_the_state_of_the_whole(kind, request):
    folder = request.getfixturevalue(kind)
    _, model, _ = small_models.small(folder)
    reader = weights.Weights(model, records.read_info(folder).spec)
    sequences = some(folder)
    whole = []
    for values in sequences:
        encoded = model.encode(right_aligned(tf.constant(values[np.newaxis]), None))
        whole.append(tf.nn.softmax(model.classifier(encoded)).numpy()[0])
    for points in (1, 9, 1000):
        reading = reader.read(sequences, points=points)
        np.testing.assert_array_equal(reading.steps[:, -1], [len(x) for x in sequences])
        assert (np.diff(reading.steps, axis=1) >= 0).all()
        np.testing.assert_allclose(reading.probabilities[:, -1], whole, atol=1e-6)
    # What a chunk says depends on what was read by then, and on nothing behind it.
    cut = [values[:taken] for values, taken in zip(sequences, reading.steps[:, 2], strict=True)]
    kept = [i for i, values in enumerate(cut) if len(values)]
    again = reader.read([cut[i] for i in kept], points=1)
    np.testing.assert_allclose(again.probabilities[:, 0], reading.probabilities[kept, 2], atol=1e-6)


def test_attention_reads_no_chunks(digit_records):
    params = ["ModelConfig.architecture='transformer'", 'ModelConfig.embedding_units=8']
    params += ['ObjectiveConfig.reconstruction_weight=0.0']
    _, model, _ = small_models.small(digit_records, *params)
    reader = weights.Weights(model, records.read_info(digit_records).spec)
    with pytest.raises(LonghaulError, match='attention needs all steps'):
        reader.read(some(digit_records), points=3)


@pytest.mark.parametrize('kind', ['digit_records', 'text_records', 'signal_records'])
@pytest.mark.parametrize('form', ['decoder', 'readout'])
def test_stretches_are_true_and_in_place(kind, form, request):
    folder = request.getfixturevalue(kind)
    params = small_models.READOUTS if form == 'readout' else []
    config, model, _ = small_models.small(folder, *params)
    run = run_of(folder, config)
    reader, values = weights.Weights(model, run.spec), some(folder)[-1]
    state = weights.one_row(reader.read([values], points=1).state, 0)
    found = recall.stretches(run, reader, values, state, content=len(values))
    assert 1 <= len(found) <= 3
    assert found[0].last == 1, 'the nearest ends with the last step'
    assert found[-1].begin == 0
    for stretch in found:
        length = len(stretch.truth)
        np.testing.assert_array_equal(stretch.truth, values[stretch.begin :][:length])
        assert stretch.said.shape == stretch.truth.shape
        assert stretch.said.dtype == stretch.truth.dtype
        assert stretch.first == len(values) - stretch.begin
        assert stretch.last == stretch.first - length + 1
        if form == 'decoder':
            np.testing.assert_array_equal(stretch.said[0], stretch.truth[0])
    page = reconstructions._by_distance([found], run.spec)
    assert ('steps recalled wrong' in page) == (kind == 'text_records')


def test_without_an_r_loss_nothing_is_recalled(digit_records):
    config, model, _ = small_models.small(digit_records, 'ObjectiveConfig.reconstruction_weight=0')
    run = run_of(digit_records, config)
    reader, values = weights.Weights(model, run.spec), some(digit_records)[0]
    with pytest.raises(LonghaulError, match='has no r loss'):
        recall.stretches(run, reader, values, {}, content=len(values))


def test_errors_of_values_and_of_ids():
    image = Stretch(0, np.uint8([[255], [0]]), np.uint8([[255], [51]]), 2, 1, given=False)
    assert recall.error(image) == pytest.approx(0.2**2 / 2)
    assert recall.error(image._replace(given=True)) == pytest.approx(0.2**2)
    text = Stretch(0, np.uint8([1, 2, 3, 4]), np.uint8([1, 2, 3, 5]), 4, 1, given=False)
    assert recall.error(text) == 0.25
    signal = Stretch(0, np.float16([[2.0]]), np.float16([[-1.0]]), 1, 1, given=False)
    assert recall.error(signal) == 9


def test_wrong_text_is_marked_and_escaped(text_records):
    spec = records.read_info(text_records).spec
    truth, said = (np.frombuffer(x, np.uint8) for x in (b'<b>ab', b'<b>xb'))
    stretch = Stretch(0, truth, said, 5, 1, given=False)
    assert reconstructions._marked(stretch, spec, truth=True) == '&lt;b&gt;ab'
    marked = reconstructions._marked(stretch, spec, truth=False)
    assert marked == '&lt;b&gt;<span class="off">x</span>b'


def test_leading():
    two = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.3, 0.7]])
    assert weights.leads_from(two, 1) == 3
    assert weights.leads_from(two, 0) is None
    assert weights.leads_from(two[:1], 0) == 0


def test_long_sequences_are_read_fewer_at_once():
    assert weights.rows_at_once(100) == 48
    assert weights.rows_at_once(1 << 22) == 4
    assert weights.rows_at_once(1 << 30) == 1
