"""`python -m tools.predict`, in this process."""

import json
import os
import shutil
import types
from pathlib import Path

import exports
import numpy as np
import pytest
from typed import stdin_of, typed

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from tools.predict import chunks, command, recall
from tools.predict.__main__ import main
from tools.predict.model import ExportedModel
from tools.predict.streams import ExportedStream


@pytest.fixture(scope='module')
def models(exported):
    """Loaded once for all commands of this file."""
    found = {}

    def load(folder):
        folder = str(folder)
        if folder not in found:
            found[folder] = ExportedModel(folder)
        return found[folder]

    return load


@pytest.fixture
def predict(models, capsys, monkeypatch):
    monkeypatch.setattr(command, 'ExportedModel', models)
    return lambda *arguments: typed(main, capsys, *arguments)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Five items of a kind as files in a folder, some of them one level deeper."""
    monkeypatch.chdir(tmp_path)

    def make(kind, suffix='.txt'):
        place = Path(kind)
        (place / 'b').mkdir(parents=True)
        for i, item in enumerate(exports.items_of(kind, 5)):
            (place / ('b' if i % 2 else '') / f'{i}{suffix}').write_bytes(item)
        return place

    return make


def wanted(models, exported, kind, count=5):
    """The names and probabilities of the best classes, asked of the model itself."""
    out = models(exported(kind)).serve(exports.items_of(kind, count))
    return [
        [(n.decode(), float(p)) for n, p in zip(names, sure, strict=True)]
        for names, sure in zip(out['top_class_names'], out['top_probabilities'], strict=True)
    ]


@pytest.mark.parametrize('kind', exports.KINDS)
def test_a_folder_as_a_table(predict, models, exported, folder, kind):
    done = predict(exported(kind), folder(kind))
    assert done.code == 0
    assert done.err == ''
    found = {line.split()[0]: line.split(maxsplit=1)[1].strip() for line in done.out.splitlines()}
    want = wanted(models, exported, kind)
    assert len(found) == 5
    for path, said in found.items():
        (name, probability), *_ = want[int(os.path.basename(path).split('.')[0])]
        assert said == f'{name} {probability:.1%}'
    # In the order of a walk, columns under each other.
    assert list(found) == sorted(found, key=lambda p: (p.count('/'), p))
    assert len({line.index(found[line.split()[0]]) for line in done.out.splitlines()}) == 1


def test_json_lines_and_the_top_classes(predict, models, exported, folder):
    want = wanted(models, exported, 'image')
    place = folder('image')
    files = [str(place / f'{i}.txt') for i in (0, 2, 4)]
    rows = [json.loads(x) for x in predict(exported('image'), *files, '--json').out.splitlines()]
    assert [row['file'] for row in rows] == files
    for row, i in zip(rows, (0, 2, 4), strict=True):
        assert row['class_name'] == want[i][0][0]
        assert row['probability'] == pytest.approx(want[i][0][1], abs=1e-5)
        assert 'top' not in row
    done = predict(exported('image'), *files, '--json', '--top=3', '--batch_size=2')
    for line, i in zip(done.out.splitlines(), (0, 2, 4), strict=True):
        top = json.loads(line)['top']
        assert [name for name, _ in top] == [name for name, _ in want[i][:3]]
    table = predict(exported('image'), files[0], '--top=99').out
    assert len(table.split('%')) == 5 + 1


def test_standard_input(predict, models, exported, monkeypatch):
    item = exports.items_of('bytes', 1)[0]
    for flags in ([], ['--stream']):
        stdin_of(monkeypatch, item)
        row = json.loads(predict(exported('bytes'), '-', '--json', *flags).out)
        assert row['file'] == '-'
        assert row['class_name'] == wanted(models, exported, 'bytes', 1)[0][0][0]


@pytest.mark.parametrize('stream', [False, True])
def test_what_cannot_be_read_is_named_and_the_rest_answered(predict, exported, tmp_path, stream):
    good, empty, pipe = tmp_path / 'good', tmp_path / 'empty', tmp_path / 'pipe'
    good.write_bytes(b'abc')
    empty.write_bytes(b'')
    os.mkfifo(pipe)
    odd = os.fsdecode(os.fsencode(tmp_path) + b'/\xff\n.txt')
    with open(odd, 'wb') as file:
        file.write(b'abc')
    files = [good, empty, pipe, tmp_path / 'missing', odd, good, '/dev/zero', 'a\0b']
    flags = ['--stream'] if stream else []
    done = predict(exported('bytes'), *files, '--json', *flags)
    assert done.code == 1
    rows = [json.loads(line) for line in done.out.splitlines()]
    errors = [row.get('error', '') for row in rows]
    assert errors[2:4] == ['no regular file', 'No such file or directory']
    assert errors[6] == 'no regular file'
    assert 'null' in errors[7]
    assert errors[1] == ('it is empty' if stream else 'the model cannot read it')
    assert [bool(row['class_name']) for row in rows] == [
        True, False, False, False, True, True, False, False,
    ]  # fmt: skip
    assert rows[0]['class_name'] == rows[4]['class_name'] == rows[5]['class_name']
    table = predict(exported('bytes'), *files, *flags)
    assert len(table.out.splitlines()) == len(files)
    assert all(line.isprintable() for line in table.out.splitlines())


@pytest.mark.parametrize('kind', ['bytes', 'characters', 'signal'])
@pytest.mark.parametrize('block', [1, 3, 1 << 20])
def test_streamed_files_have_the_same_answers(predict, exported, folder, monkeypatch, kind, block):
    monkeypatch.setattr(chunks, '_BYTES', block)
    monkeypatch.setattr(chunks, '_STEPS', block)
    place = folder(kind)
    whole = predict(exported(kind), place, '--json', '--top=5', '--batch_size=1')
    streamed = predict(exported(kind), place, '--json', '--top=5', '--stream')
    for a, b in zip(whole.out.splitlines(), streamed.out.splitlines(), strict=True):
        a, b = json.loads(a), json.loads(b)
        assert [n for n, _ in a['top']] == [n for n, _ in b['top']]
        np.testing.assert_allclose([p for _, p in a['top']], [p for _, p in b['top']], atol=1e-5)


def test_a_large_file_is_streamed_by_itself(predict, exported, folder, monkeypatch):
    monkeypatch.setattr(command, '_LARGE_BYTES', 20)
    streamed = []
    classify = command.streams.classify

    def note(model, file, *, top):
        streamed.append(os.path.getsize(file))
        return classify(model, file, top=top)

    place = folder('bytes')
    want = predict(exported('bytes'), place, '--json').out
    monkeypatch.setattr(command.streams, 'classify', note)
    done = predict(exported('bytes'), place, '--json')
    assert streamed
    assert min(streamed) > 20
    assert done.out == want
    streamed.clear()
    predict(exported('image'), folder('image'))
    predict(exported('transformer'), place)
    assert streamed == []


def test_a_document_too_long_for_attention_is_refused_alone(predict, exported, tmp_path):
    """Beside others, which are answered all the same."""
    for name, text in (('a', b'abc'), ('b', b'x' * 9000), ('c', b'abc')):
        (tmp_path / name).write_bytes(text)
    done = predict(exported('transformer'), tmp_path, '--json')
    assert done.code == 1
    a, b, c = (json.loads(line) for line in done.out.splitlines())
    assert a['class_name'] == c['class_name'] is not None
    assert b['class_name'] is None
    assert 'send fewer or shorter items' in b['error']
    assert b['error'].isprintable()


@pytest.mark.parametrize('kind', ['image', 'characters', 'signal'])
def test_a_picture_of_what_is_recalled(predict, exported, folder, tmp_path, kind):
    name = 'recalled.txt' if kind == 'characters' else 'recalled.png'
    place = folder(kind)
    done = predict(exported(kind), place / '2.txt', place, f'--recall={tmp_path / name}')
    assert done.code == 0, done.err
    if kind == 'characters':
        truth, recalled = (tmp_path / name).read_text().split('\n\n')[:2]
        assert truth.startswith('truth:\n')
        assert recalled.startswith('recalled:\n')
        # The step that both begin with was given.
        assert truth.split('\n')[1][0] == recalled.split('\n')[1][0]
        assert len(truth) - len('truth') == len(recalled) - len('recalled')
        return
    import tensorflow as tf

    picture = tf.io.decode_png((tmp_path / name).read_bytes()).numpy()
    if kind == 'signal':
        # Two axes of curves: not all of it is white.
        assert picture.min() < 100
        return
    assert picture.shape == (48, 96, 3)
    truth, recalled = picture[::8, :48:8], picture[::8, 48::8]
    # All but the last 12 of 36 steps are the same in both; the 13th-last is given.
    same = (truth == recalled).all(axis=-1).ravel()
    assert same[: 36 - 12 + 1].all()
    assert not same[36 - 12 + 1 :].all()


def test_a_readout_recalls_all_of_a_picture(predict, exported, folder, tmp_path):
    """Nothing is given, so nothing is dimmed."""
    import tensorflow as tf

    path = tmp_path / 'recalled.png'
    done = predict(exported('readout'), folder('image') / '2.txt', f'--recall={path}')
    assert done.code == 0, done.err
    picture = tf.io.decode_png(path.read_bytes()).numpy()[::8, ::8]
    assert picture.shape == (6, 12, 3)
    assert picture[:, :6].max() > 255 // 3
    different = (picture[:, :6] != picture[:, 6:]).any(axis=-1)
    assert different[0].any()
    assert different.sum() > 30


@pytest.mark.parametrize('begin', [2, 4, 6])
def test_a_recalled_picture_is_without_trailing_steps(tmp_path, begin):
    """Of 2x2 pixels with five steps behind them; wherever the stretch begins."""
    import tensorflow as tf

    spec = SequenceSpec('image', image_size=2, trailing_steps=5)
    truth = np.array([[90], [90], [90], [90], [0], [0], [0], [0], [0]], np.uint8)
    guess = truth.copy()
    guess[begin:] = 250
    path = tmp_path / 'x.png'
    recall._write_picture(types.SimpleNamespace(spec=spec), truth, guess, begin, str(path))
    picture = tf.io.decode_png(path.read_bytes()).numpy()[::8, ::8, 0]
    shown = {2: ([90, 90], [250, 250])}.get(begin, ([30, 30], [30, 30]))
    assert picture.tolist() == [[30, 30, 30, 30], [*shown[0], *shown[1]]]


@pytest.mark.parametrize(
    ('kind', 'flags', 'words'),
    [
        ('transformer', ['--stream'], ['--stream', 'attention needs all steps']),
        ('image', ['--stream'], ['--stream', 'decoded as a whole']),
        (
            'bytes',
            ['--recall=x.txt'],
            ['--recall=x.txt', "neither r-LSTM's decoder nor its readout"],
        ),
        ('characters', ['--recall=x.png'], ['--recall=x.png', '.txt']),
        ('image', ['--recall=x.txt'], ['--recall=x.txt', '.png']),
        ('image', ['--recall=x.png', '-'], ['--recall=x.png', 'standard input']),
        ('signal', ['--recall=x.txt'], ['--recall=x.txt', '.png']),
        ('image', ['--batch_size=0'], ['--batch_size=0', 'at least 1']),
        ('image', ['--top=0'], ['--top=0', 'at least 1']),
        ('image', ['--top=-5'], ['--top=-5', 'at least 1']),
    ],
)
def test_refusals(predict, exported, folder, kind, flags, words):
    place = folder(kind)
    files = ['-'] if '-' in flags else [place]
    flags = [f for f in flags if f != '-']
    refusal = predict(exported(kind), *files, *flags).refusal
    for word in words:
        assert word in refusal
    assert [p.name for p in Path().iterdir()] == [kind]


def test_a_recalled_picture_needs_a_file_that_is_read(predict, exported, tmp_path):
    bad = tmp_path / 'bad.png'
    bad.write_bytes(b'no image')
    done = predict(exported('image'), bad, f'--recall={tmp_path / "x.png"}')
    assert done.code == 2
    assert f'FILE={bad}: the model cannot read it' in done.err
    good = tmp_path / 'good.png'
    good.write_bytes(exports.items_of('image', 1)[0])
    done = predict(exported('image'), good, f'--recall={tmp_path / "no" / "x.png"}')
    assert done.code == 2
    assert 'cannot be written (No such file or directory)' in done.err
    assert done.err.count('\n') == 1


def test_an_export_that_is_none(capsys, exported, tmp_path):
    def refusal(folder):
        found = typed(main, capsys, folder, __file__).refusal
        assert 'cannot be loaded' in found
        assert '--mode=export has written' in found
        return found

    refusal(tmp_path / 'missing')
    refusal(tmp_path)
    (tmp_path / '7').mkdir()
    refusal(tmp_path)
    damaged = tmp_path / 'damaged'
    shutil.copytree(exported('bytes'), damaged)
    about = damaged / 'assets.extra/longhaul.json'
    text = about.read_text()
    for content in ('', '[]', '{}', '{"spec": []}', '{"spec": {"kind": "x"}}', text[:50]):
        about.write_text(content)
        assert typed(main, capsys, damaged, __file__).refusal
    about.write_text(text)
    variables = next((damaged / 'variables').glob('*.data*'))
    for path in (variables, damaged / 'saved_model.pb'):
        path.write_bytes(path.read_bytes()[:100])
        refusal(damaged)


def test_the_newest_version_is_taken(models, exported, tmp_path):
    for version in ('9', '10', '.11.partial', 'old'):
        (tmp_path / version).mkdir()
    (tmp_path / '10').rmdir()
    shutil.copytree(exported('bytes'), tmp_path / '10')
    assert ExportedModel(str(tmp_path)).folder == str(tmp_path / '10')


def test_no_file_at_all(predict, exported, tmp_path):
    assert 'no file found' in predict(exported('bytes'), tmp_path).refusal


def test_many_channels_are_not_all_drawn(tmp_path):
    """One below the other, they would make a picture larger than any may be."""
    path = tmp_path / 'x.png'
    recall._write_curves(np.zeros([5, 400]), np.ones([5, 400]), str(path))
    # A PNG says how high it is behind its width.
    height = int.from_bytes(path.read_bytes()[20:24])
    assert 1000 < height < 4000


def test_a_stream_takes_floats_and_refuses_as_the_rest_does(models, exported):
    stream = ExportedStream(models(exported('signal')))
    channels = models(exported('signal')).spec.channels
    stream.read([[0.5] * channels])
    assert stream.steps == 1
    for chunk, words in ((np.float16(3), 'has the shape'), ([[np.nan] * channels], 'not finite')):
        with pytest.raises(LonghaulError, match=f'chunk: .*{words}'):
            stream.read(chunk)
    assert stream.steps == 1
    with pytest.raises(LonghaulError, match='the model refuses it'):
        models(exported('signal')).call('start', batch_size=np.float32(1))


def test_a_signature_or_inputs_that_are_not_there_are_named(models, exported):
    model = models(exported('signal'))
    with pytest.raises(
        LonghaulError, match="signature='serve': .* no such .*; name one of advance"
    ):
        model.call('serve', data=np.array([b'']))
    for given in ({}, {'x': np.zeros(1)}, {'data': np.array([b'']), 'x': np.zeros(1)}):
        with pytest.raises(LonghaulError, match='decode: the inputs .* were given; give data'):
            model.call('decode', **given)
