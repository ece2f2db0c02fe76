"""`python -m tools.agree` on a run with random weights, evaluated and exported by the trainer."""

import importlib.util
import json
import shutil
import socket
import types
from pathlib import Path

import exports
import numpy as np
import pytest
import serving
import small_data
import source_data
import tensorflow as tf
from typed import typed
from whole_runs import execute

from pipelines.format import records, sequences
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec, character_spec, signal_spec, text_spec
from tools.agree import command, examples, ways
from tools.agree.__main__ import main
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel
from trainer import bindings
from trainer.models.architectures import make_model
from trainer.run_dir.folder import ModelDir

# What runs a converted model; one of them is there only if make setup has installed it.
FILES = ['TFLite', *(['ONNX'] if importlib.util.find_spec('onnxruntime') else [])]
ALL = ['raw items', 'decoded steps', 'random chunks', *FILES]
STEP = 7


def documents(split: str) -> list[list[str]]:
    """Of 1 to 30 characters, U+FFFD among them; the snowmen are in the test split alone."""
    begin = '☃x☃' if split == 'test' else ''
    words = {'animal': 'fox \ufffd猫 dog ', 'tool': 'saw nail é '}
    return [
        [name, begin + (4 * text)[i % 5 :][: 1 + 2 * i]]
        for i in range(14)
        for name, text in words.items()
    ]


def save(gin_file: Path, folder: Path, data: str, *, seed: int) -> None:
    """A checkpoint of random weights, with which the two classes are both named."""
    config = bindings.load(gin_files=[str(gin_file)], gin_params=[], records=data)
    info, place = records.read_info(data), ModelDir(str(folder))
    model = make_model(config, info.spec, classes=2)
    for i, variable in enumerate(sorted(model.trainable_variables, key=lambda v: v.name)):
        draw = tf.random.stateless_normal(variable.shape, [seed, i], stddev=1.5)
        variable.assign_add(draw)
    place.create()
    place.remember_data(info.spec, info.class_names)
    exports.save(place, step=STEP, model=model)


@pytest.fixture(scope='module')
def made(tmp_path_factory):
    """Folders: 'records', 'run', and 'other', an export of other weights of the same step."""
    folder = tmp_path_factory.mktemp('agree')
    for split in ('train', 'test'):
        source_data.write_csv(folder / f'{split}.csv', [['label', 'text'], *documents(split)])
    data = folder / 'records'
    flags = ('--tokens=characters', '--segment_steps=40', '--auxiliary_steps=16')
    assert small_data.run_job(f'--source=csv:{folder}', *flags, f'--output={data}') == 0
    tiny = folder / 'tiny.gin'
    params = [*small_data.TINY_RUN, 'ObjectiveConfig.reconstruction_weight=0.0']
    tiny.write_text('\n'.join(params) + '\n')
    for seed, name in ((3, 'run'), (4, 'other')):
        save(tiny, folder / name, str(data), seed=seed)
        if name == 'run':
            assert execute(str(tiny), folder / name, 'eval', records=str(data)) == 0
        wanted = {'tflite': True, 'onnx': 'ONNX' in FILES}
        assert execute(str(tiny), folder / name, 'export', records=str(data), **wanted) == 0
    return {name: folder / name for name in ('records', 'run', 'other')}


@pytest.fixture(scope='module')
def models():
    """Loaded once each, by the folder that they lie in in the end."""
    found = {}

    def load(folder):
        folder = str(Path(folder).resolve())
        if folder not in found:
            found[folder] = ExportedModel(folder)
        return found[folder]

    return load


@pytest.fixture
def agree(models, made, capsys, monkeypatch):
    monkeypatch.setattr(command, 'ExportedModel', models)
    monkeypatch.setattr(ways, '_LONGEST_CHUNK', 9)

    def ask(run=made['run'], *flags, data=made['records']):
        return typed(main, capsys, run, f'--records={data}', '--batch_size=12', *flags)

    return ask


@pytest.fixture
def copy(made, tmp_path):
    """The run once more, to be changed; its export is the same folder."""
    folder = tmp_path / 'run'
    folder.mkdir()
    for path in made['run'].glob('*.json*'):
        shutil.copy(path, folder)
    (folder / 'export').symlink_to(made['run'] / 'export')
    return folder


def verdicts(out: str) -> dict[str, str]:
    """What is said of each way, by its name."""
    rows = [line[2:] for line in out.splitlines()[1:]]
    return {row[:14].strip(): row[15:].split()[0].strip(':') for row in rows}


def test_all_ways_agree(agree, made):
    served = {'texts': {STEP: str(made['run'] / f'export/{STEP}')}}
    with serving.serve(served) as server:
        servers = (f'--grpc={server.grpc}', f'--rest={server.rest}', '--model=texts')
        done = agree(made['run'], *servers)
    assert done.code == 0, done
    assert verdicts(done.out) == dict.fromkeys([*ALL, 'gRPC', 'REST'], 'agrees')
    assert done.out.count('the same class 28 of 28;') == len(ALL) + 2
    predictions = (made['run'] / 'predictions-test.jsonl').read_text()
    assert len({json.loads(line)['predicted'] for line in predictions.splitlines()}) == 2


def test_other_weights_differ_in_every_way(agree, made, copy):
    (copy / 'export').unlink()
    (copy / 'export').symlink_to(made['other'] / 'export')
    done = agree(copy)
    assert done.code == 1
    assert verdicts(done.out) == dict.fromkeys(ALL, 'DIFFERS')


def test_one_way_that_differs_is_named(agree, made, copy, models, monkeypatch):
    model = models(made['run'] / 'export')
    lite = made['other'] / f'export/{STEP}/model.tflite'
    monkeypatch.setattr(model, 'folder', str(lite.parent))
    done = agree(copy)
    assert done.code == 1
    assert verdicts(done.out) == dict.fromkeys(ALL, 'agrees') | dict.fromkeys(FILES, 'DIFFERS')


@pytest.mark.parametrize('change', ['predicted', 'probability'])
def test_one_prediction_that_differs_is_seen(agree, copy, change):
    path = copy / 'predictions-test.jsonl'
    first, *rest = path.read_text().splitlines()
    row = json.loads(first)
    other = {'animal': 'tool', 'tool': 'animal'}[row['predicted']]
    row[change] = {'predicted': other, 'probability': row['probability'] - 3e-5}[change]
    path.write_text('\n'.join([json.dumps(row), *rest]) + '\n')
    done = agree(copy)
    assert done.code == 1
    assert verdicts(done.out) == dict.fromkeys(ALL, 'DIFFERS')
    assert ('28 of 28' in done.out) == (change == 'probability')


@pytest.mark.parametrize(
    ('answer', 'said'),
    [
        (np.full([12, 2], np.nan), 'DIFFERS: the same class'),
        (np.ones([12, 3]), 'DIFFERS: (12, 3) probabilities of 2'),
        (RefusedRequest('too\nlarge'), 'REFUSES 12 examples (too large); try a smaller batch'),
    ],
    ids=['no numbers', 'other classes', 'refused'],
)
def test_a_way_that_fails_does_not_stop_the_others(agree, made, models, monkeypatch, answer, said):
    def fail(items):
        if isinstance(answer, Exception):
            raise answer
        return {'probabilities': answer[: len(items)]}

    monkeypatch.setattr(models(made['run'] / 'export'), 'serve', fail)
    done = agree()
    assert done.code == 1
    assert f'  raw items      {said}' in done.out
    assert [way for way, word in verdicts(done.out).items() if word == 'agrees'] == ALL[1:]


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


BROKEN = {
    'no evaluation': (
        lambda run: (run / 'evaluation-test.json').unlink(), 'evaluate the run first',
    ),
    'an empty evaluation': (
        lambda run: (run / 'evaluation-test.json').write_text('[]'), 'evaluate the run first',
    ),
    'another step': (
        lambda run: rewrite(run / 'evaluation-test.json', global_step=8),
        'step 8 was evaluated, ',
    ),
    'no predictions': (
        lambda run: (run / 'predictions-test.jsonl').unlink(), '--mode=eval --split=test',
    ),
    'predictions of nothing': (
        lambda run: (run / 'predictions-test.jsonl').write_text(''), '--split=test',
    ),
    'half a prediction': (
        lambda run: (run / 'predictions-test.jsonl').write_text('{"id": "x"}\n'), 'cannot be read',
    ),
    'a prediction of another example': (
        lambda run: (run / 'predictions-test.jsonl').write_text(
            '{"id": "x", "predicted": "tool", "probability": 1}\n'
        ),
        'holds 0 of the 1 examples',
    ),
}  # fmt: skip


@pytest.mark.parametrize('name', BROKEN)
def test_a_part_that_is_missing_is_one_line(agree, copy, name):
    change, words = BROKEN[name]
    change(copy)
    assert words in agree(copy).refusal


def test_other_refusals_are_one_line(agree, made, tmp_path, text_records):
    assert '--records=' in agree(data=text_records).refusal
    assert 'are not what' in agree(data=text_records).refusal
    assert str(tmp_path) in agree(data=tmp_path).refusal
    assert '--batch_size=0' in agree(made['run'], '--batch_size=0').refusal
    assert '--rest=nowhere: HOST:PORT' in agree(made['run'], '--rest=nowhere').refusal
    assert '--grpc=[::: HOST:PORT' in agree(made['run'], '--grpc=[::').refusal
    assert 'evaluate the run first' in agree(made['run'], '--split=validation').refusal


@pytest.mark.parametrize('flag', ['--grpc', '--rest'])
def test_a_server_that_is_down_is_one_line(agree, made, flag):
    with socket.socket() as held:
        held.bind(('localhost', 0))
        server = f'localhost:{held.getsockname()[1]}'
        done = agree(made['run'], f'{flag}={server}')
    assert done.code == 2
    assert done.err.startswith(f'error: {flag}={server}: no answer over ')
    assert done.err.count('\n') == 1


@pytest.mark.parametrize('file', [f'model.{kind.lower()}' for kind in FILES])
def test_a_damaged_model_is_one_line(agree, made, models, tmp_path, monkeypatch, file):
    (tmp_path / file).write_bytes(b'no model')
    monkeypatch.setattr(models(made['run'] / 'export'), 'folder', str(tmp_path))
    done = agree()
    assert done.code == 2
    assert f'{file}: cannot be loaded (' in done.err
    assert done.err.count('\n') == 1


def test_raw_items_are_not_asked_for_noise_of_an_id(tmp_path, capsys):
    spec = SequenceSpec('image', image_size=2, trailing_steps=3, trailing='noise', trailing_seed=0)
    model = types.SimpleNamespace(spec=spec, streams=False, folder=str(tmp_path))
    with ways.all_ways(model, seed=0, grpc=None, rest=None, name='') as found:
        assert list(found) == ['decoded steps']
    assert 'raw items are not asked' in capsys.readouterr().out
    with (
        pytest.raises(LonghaulError, match=r'^--rest=here:1: .*; leave it out$'),
        ways.all_ways(model, seed=0, grpc=None, rest='here:1', name=''),
    ):
        pass


RAW = {
    'gray': SequenceSpec('image', image_size=2, permutation=(3, 1, 0, 2)),
    'colours one by one': SequenceSpec('image', image_size=3, steps_per_pixel=3),
    'signal': signal_spec(dtype='float16', channels=2),
    'bytes': text_spec(),
    'blank steps behind colours': SequenceSpec('image', image_size=3, channels=3, trailing_steps=4),
    'blank steps behind bytes': SequenceSpec(
        'text', tokens='bytes', vocabulary_size=256, trailing_steps=4
    ),
    'characters': character_spec(max_steps=50, cut='both').with_vocabulary('ab\ufffd猫🙂\x00'),
}


@pytest.mark.parametrize('kind', RAW)
def test_a_raw_item_is_decoded_to_the_stored_steps(kind):
    """Characters outside of the vocabulary included, and one that stands for what is unreadable."""
    spec, random = RAW[kind], np.random.default_rng(0)
    steps = spec.fixed_length or 50
    if spec.dtype == 'float16':
        values = random.normal(size=[steps, 2]).astype(np.float16)
    else:
        shape, size = [steps, *spec.step_shape], spec.vocabulary_size or 256
        values = random.integers(0, size, shape).astype(spec.dtype)
    values[steps - spec.trailing_steps :] = 0
    raw = examples.raw_item(values, spec)
    np.testing.assert_array_equal(sequences.decode(tf.constant(raw), spec), values)


def test_a_server_s_refusal_stays_one():
    def ask(items):
        raise RefusedRequest('too large')

    with pytest.raises(RefusedRequest, match='too large'):
        ways._asking(ask, '--rest=')([])
