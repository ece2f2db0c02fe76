"""What is shown of records: in the terminal, and as a page that needs nothing else."""

import base64
import html.parser
import json
import os
import re
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines import launcher
from pipelines.format import spec
from pipelines.format.spec import signal_spec, text_spec
from pipelines.job.sources.builtin.digits import raw_items
from tools.inspect import __main__ as command
from tools.inspect import documents, drawings, marks, markup, pictures, signals, strip
from tools.inspect.stored import Records, Stored


def inspect(capsys, *arguments):
    capsys.readouterr()
    code = command.main([str(a) for a in arguments])
    found = capsys.readouterr()
    return code, found.out, found.err


@pytest.fixture(scope='module')
def permuted(tmp_path_factory):
    """Digits at 8x8, their own size, in a stored permutation."""
    output = tmp_path_factory.mktemp('permuted') / 'records'
    flags = ['--source=builtin:digits', '--image_size=8', '--permutation_seed=3', '--limit=50']
    flags += ['--segment_steps=20', '--auxiliary_steps=16', f'--output={output}']
    assert launcher.main(flags) == 0
    return str(output)


@pytest.fixture(scope='module')
def markup_records(tmp_path_factory):
    """Documents that look like HTML, with letters of several bytes."""
    folder = tmp_path_factory.mktemp('markup')
    lines = [
        {'text': f'<script>alert({i})</script> & größer ' * 3, 'label': '<b>'} for i in range(40)
    ]
    lines += [{'text': '', 'label': '<b>'}, {'label': '<b>'}]
    (folder / 'train.jsonl').write_text(''.join(json.dumps(x) + '\n' for x in lines))
    output = folder / 'records'
    flags = [f'--source=jsonl:{folder / "train.jsonl"}', '--segment_steps=20', '--test_share=0.2']
    flags += ['--max_rejected_share=0.1']
    assert launcher.main([*flags, '--auxiliary_steps=16', f'--output={output}']) == 0
    return str(output)


def test_the_first_example_without_an_id(digit_records, capsys):
    code, out, _ = inspect(capsys, digit_records)
    assert code == 0
    for words in (
        'steps      64 of 1 x uint8',
        'segments   4: 4, 20, 20, 20 steps',
        'L          16',
    ):
        assert words in out
    assert len(re.findall(r'anchors \d', out)) == 2
    assert set(out.splitlines()[-3]) <= set(' .:-=+*#%@')


def test_an_example_by_its_id(permuted, capsys):
    found = Records(permuted)
    example = found.spread(5)[3]
    code, out, _ = inspect(capsys, permuted, f'--id={example.id}')
    assert code == 0
    assert f'id         {example.id}\n' in out
    assert f'class      {found.class_name(example)} (' in out


def test_a_picture_has_its_pixels_in_their_places(permuted):
    """The permutation undone: the raw digit."""
    raw = {example_id: data for example_id, _, data in raw_items()}
    found = Records(permuted)
    for example in found.spread(4):
        want = tf.io.decode_png(raw[example.id], channels=1).numpy()
        np.testing.assert_array_equal(pictures.plain(found, example), want)


def pixels(path, side):
    """The pixels (raster) that the rectangles of a path cover."""
    found = []
    for x, y, width in re.findall(r'M(\d+) (\d+)h(\d+)v1h-\3z', path):
        found += range(int(y) * side + int(x), int(y) * side + int(x) + int(width))
    return sorted(found)


def test_anchors_and_stretches_are_drawn_where_they_are(permuted):
    found = Records(permuted)
    order = pictures.places(found)
    for example in found.spread(5):
        drawn = pictures.draw(found, example, marks.of(found, example))
        paths = dict(re.findall(r'class="([a-z-]+)" d="([^"]+)"', drawn))
        start, p = (int(example.anchors[name][0, 0]) for name in ('r_starts', 'p_anchors'))
        assert pixels(paths['r-stretch'], 8) == sorted(order[start : start + 16].tolist())
        assert pixels(paths['r-start'], 8) == [order[start]]
        assert pixels(paths['p-stretch'], 8) == sorted(order[p + 1 : p + 17].tolist())
        last_read = order[int(example.anchors['r_anchors'][0, 0]) - 1]
        assert f'cx="{last_read % 8 + 0.5}" cy="{last_read // 8 + 0.5}"' in drawn
        assert 'segment' not in paths, 'a segment is everywhere in a permutation'


def test_marks_of_sequences_too_short_for_them(text_records):
    """A document of one step has nothing to predict, and none that is marked beyond its end."""
    found = Records(text_records)
    shortest = min(found.spread(1000), key=lambda example: example.steps)
    assert shortest.steps == 1
    marked = marks.of(found, shortest)
    assert marked.bounds == (0,)
    assert marked.r == ((1, 0, 1),)
    assert marked.p == ((0, 1, 1),)
    assert documents.excerpts(marked) == [(0, 1)]
    assert 'nothing' in strip.say(marked)


def test_a_long_document_is_shown_around_its_marks():
    anchor = marks.Anchor(9000, 4000, 4600)
    marked = marks.Marks(20000, tuple(range(0, 20000, 100)), (anchor,), ())
    parts = documents.excerpts(marked)
    assert parts[0][0] == 0
    assert parts[-1][1] == 20000
    for point in anchor:
        assert any(a <= point - 100 and point + 100 <= b for a, b in parts)
    assert sum(b - a for a, b in parts) < 1500
    assert all(a[1] < b[0] for a, b in zip(parts, parts[1:], strict=False))


def test_a_character_of_several_bytes_is_not_torn():
    """The bounds of segments fall into the middle of letters of two bytes."""
    values = np.frombuffer('äöü'.encode() * 4, np.uint8)
    example = Stored('train', 'x', -1, values, {})
    found = types.SimpleNamespace(info=types.SimpleNamespace(spec=text_spec()))
    drawn = documents.draw(found, example, marks.Marks(24, (0, 3, 8, 13, 18, 23), (), ()))
    assert re.sub('<.*?>', '', drawn) == 'äöü' * 4
    assert [int(t) for t in re.findall(r'data-step="(\d+)"', drawn)] == [0, 3, 8, 13, 18, 23]


def test_a_signal_is_a_curve_for_each_channel():
    """4,000 steps on 640 points: the one step that sticks out is still there."""
    values = np.zeros([4000, 8], np.float16)
    values[1234, 1], values[:, 2] = -2.5, np.arange(4000)
    example = Stored('train', '<x>', -1, values, {})
    found = types.SimpleNamespace(
        info=types.SimpleNamespace(spec=signal_spec(dtype='float16', channels=8))
    )
    anchor = marks.Anchor(3000, 1000, 1600)
    drawn = signals.draw(found, example, marks.Marks(4000, (0, 1000, 2000, 3000), (anchor,), ()))
    curves = re.findall(r'class="curve" d="M([^"]+)"', drawn)
    assert len(curves) == 6
    assert '2 channels more' in drawn
    assert '<x>' not in drawn
    points = [np.array([p.split() for p in c.split('L')], float) for c in curves]
    lowest = points[1][points[1][:, 1].argmax()]
    np.testing.assert_allclose(lowest, [1234, 56], atol=4)
    assert (np.diff(points[2][:, 0]) >= 0).all()
    np.testing.assert_allclose(points[2][[0, -1], 1], [56, 4], atol=0.2)
    assert drawn.count('class="r-stretch" d="M1000 0H1600V60H1000z"') == 6
    assert drawn.count('class="r-anchor" d="M3000 0v60"') == 6
    assert drawn.count('M1000 0H2000V60H1000zM3000 0H4000V60H3000z') == 6
    assert 'channel 1: -2.5 to 0' in signals.plot(values)


def test_stored_signals_are_shown(signal_records, tmp_path, capsys):
    found = Records(signal_records)
    example = max(found.spread(20), key=lambda e: e.steps)
    code, out, _ = inspect(capsys, signal_records, f'--id={example.id}')
    assert code == 0
    assert f'steps      {example.steps} of 3 x float16' in out
    least, most = example.values[:, 2].min(), example.values[:, 2].max()
    title, *lines = out.splitlines()[-8:]
    assert title == f'channel 2: {least:.4g} to {most:.4g}'
    # Every column has a mark; the extremes stand in the first line and the last.
    assert max(map(len, lines)) == 2 + min(64, example.steps)
    assert '*' in lines[0]
    assert '*' in lines[-1]
    path = tmp_path / 'page.html'
    assert inspect(capsys, signal_records, f'--html={path}', '--examples=5')[0] == 0
    assert path.read_text().count('class="curve"') == 5 * 3


def test_trailing_steps_have_no_pixel(tmp_path, capsys):
    """Stretches that reach into them, or begin there, are drawn as far as there are pixels."""
    output, page = tmp_path / 'records', tmp_path / 'page.html'
    flags = ['--source=builtin:digits', '--image_size=8', '--limit=30', '--segment_steps=20']
    flags += ['--trailing_steps=100', '--auxiliary_steps=40', f'--output={output}']
    assert launcher.main(flags) == 0
    found = Records(str(output))
    examples = found.spread(30)
    starts = [anchor.start for e in examples for anchor in marks.of(found, e).r]
    assert min(starts) < 64 <= max(starts)
    for example in examples:
        drawn = pictures._overlay(found, marks.of(found, example))
        stretch = next(iter(marks.of(found, example).r))
        (shown,) = re.findall('class="r-stretch" d="([^"]+)"', drawn) or ['']
        assert pixels(shown, 8) == list(range(min(stretch.start, 64), min(stretch.end, 64)))
    assert inspect(capsys, output)[0] == 0
    assert inspect(capsys, output, f'--html={page}', '--examples=9')[0] == 0
    assert 'row by row, 100 blank steps behind each' in page.read_text()


def test_text_stays_text():
    assert markup.text('<b>"\'&') == '&lt;b&gt;&quot;&#x27;&amp;'
    assert markup.text('a\x00b\r\x85\u202e\ud800\n\t') == 'a‹00›b‹0D›‹85›‹202E›‹D800›\n\t'
    assert markup.text('größer 数据 سلسلة 👩\u200d👧') == 'größer 数据 سلسلة 👩\u200d👧'


def test_every_kind_has_a_drawing():
    assert set(drawings.DRAWINGS) == set(spec._KNOWN['kind'])


def test_an_unknown_id_is_refused_with_near_ones(digit_records, capsys):
    code, _, error = inspect(capsys, digit_records, '--id=nothing')
    assert code == 2
    assert error.startswith('error: --id=nothing: ')
    assert 'no such example; for example ' in error
    code, _, error = inspect(capsys, digit_records, '--html=/nowhere/at/all.html')
    assert code == 2
    assert 'name another file' in error


class Page(html.parser.HTMLParser):
    """Collects the tags, the pictures and the text of each class of elements."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.pictures, self.text = [], [], ''
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        source = dict(attributes).get('src', '')
        if source.startswith('data:image/png;base64,'):
            self.pictures.append(tf.io.decode_png(base64.b64decode(source.split(',')[1])).numpy())

    def handle_data(self, data):
        self.text += data


def test_names_and_texts_that_no_terminal_should_get(tmp_path, capsys):
    """Escape sequences, and a name that is no UTF-8, which is found as the shell gives it."""
    name = os.fsdecode(b'a/caf\xe9\x1b[2J')
    (tmp_path / 'a').mkdir()
    (tmp_path / name).write_bytes(b'one\ttwo\nthree\x1b]0;title\x07\r')
    flags = [f'--source=texts:{tmp_path}', '--auxiliary_steps=5', '--validation_share=0']
    assert launcher.main([*flags, f'--output={tmp_path / "out"}']) == 0
    code, out, _ = inspect(capsys, tmp_path / 'out', f'--id=train/{name}')
    assert code == 0
    assert 'train/a/caf\\xe9\\x1b[2J\n' in out
    assert out.endswith('\none\ttwo\nthree\\x1b]0;title\\x07\\r\n')
    assert not set(out) & set('\x1b\x07\r')


def test_a_page_of_pictures(permuted, tmp_path, capsys):
    path = tmp_path / 'page.html'
    code, out, _ = inspect(capsys, permuted, f'--html={path}', '--examples=6')
    assert (code, out.strip()) == (0, f'{path}: {len(path.read_bytes()) / 1e3:,.0f} kB')
    page, found = Page(path.read_text()), Records(permuted)
    assert len(page.pictures) == 6
    for picture, example in zip(page.pictures, found.spread(6), strict=True):
        np.testing.assert_array_equal(picture, pictures.plain(found, example))
        assert example.id in page.text
    assert '://' not in path.read_text(), 'it needs nothing from elsewhere'
    for words in (
        'Classes',
        'Lengths',
        'Every sequence has 64 steps',
        'permutation_seed',
        'None: ',
    ):
        assert words in page.text


def test_a_page_of_documents_escapes_what_they_say(markup_records, tmp_path, capsys):
    path = tmp_path / 'page.html'
    assert inspect(capsys, markup_records, f'--html={path}', '--examples=3')[0] == 0
    page = Page(path.read_text())
    assert 'script' not in {tag for tag, _ in page.tags}
    assert page.text.count('</script> & gr') >= 3
    kinds = [attributes.get('class', '') for tag, attributes in page.tags if tag == 'span']
    assert {'s0', 's1', 'r-stretch', 'p-stretch', 'r-start'} <= {
        word for kind in kinds for word in kind.split()
    }


def test_a_page_lists_what_was_rejected_and_needs_no_statistics(markup_records, tmp_path, capsys):
    path = tmp_path / 'page.html'
    assert inspect(capsys, markup_records, f'--html={path}')[0] == 0
    text = Page(path.read_text()).text
    assert '2 of 42 items (4.8 %)' in text
    assert 'the text is empty' in text
    stats = Path(markup_records) / 'stats.json'
    stats.write_text('[' * 100_000)
    code, _, error = inspect(capsys, markup_records, f'--html={path}')
    assert code == 2
    assert f'{stats}: damaged (' in error
    stats.unlink()
    assert inspect(capsys, markup_records, f'--html={path}')[0] == 0
    assert 'no stats.json' in Page(path.read_text()).text
