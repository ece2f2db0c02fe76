"""What is shown of records: in the terminal, and as a page that needs nothing else."""

import base64
import html.parser
import json
import re

import numpy as np
import pytest
import tensorflow as tf

from pipelines import launcher
from pipelines.job.sources.digits import raw_items
from tools.inspect import __main__ as command
from tools.inspect import pictures
from tools.inspect.stored import Records


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
def markup(tmp_path_factory):
    """Documents that look like HTML, with letters of several bytes."""
    folder = tmp_path_factory.mktemp('markup')
    lines = [
        {'text': f'<script>alert({i})</script> & größer ' * 3, 'label': '<b>'} for i in range(40)
    ]
    (folder / 'train.jsonl').write_text(''.join(json.dumps(x) + '\n' for x in lines))
    output = folder / 'records'
    flags = [f'--source=jsonl:{folder / "train.jsonl"}', '--segment_steps=20', '--test_share=0.2']
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
        want = tf.io.decode_png(raw[example.id], channels=1).numpy() / 255.0
        np.testing.assert_allclose(pictures.plain(found, example), want, atol=1e-6)


def test_anchors_and_stretch_are_drawn_where_they_are(permuted):
    found = Records(permuted)
    example = found.spread(1)[0]
    picture = pictures.annotated(found, example).reshape(64, 3)[pictures.places(found)]
    r = int(example.anchors['r_anchors'][0, 0]) - 1
    start = int(example.anchors['r_starts'][0, 0])
    p = max(0, int(example.anchors['p_anchors'][0, 0]) - 1)
    if r != p:
        assert picture[r].tolist() == [255, 26, 26]
    assert picture[p].tolist() == [230, 51, 255]
    inside = [t for t in range(start, start + 16) if t not in (r, p)]
    outside = [t for t in range(64) if t not in (r, p) and t not in range(start, start + 16)]
    greener = picture[:, 1].astype(int) - picture[:, [0, 2]].max(axis=1)
    assert greener[inside].min() > greener[outside].max()


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


def test_a_page_of_pictures(permuted, tmp_path, capsys):
    path = tmp_path / 'page.html'
    code, out, _ = inspect(capsys, permuted, f'--html={path}', '--examples=6')
    assert (code, out.strip()) == (0, str(path))
    page, found = Page(path.read_text()), Records(permuted)
    assert len(page.pictures) == 6
    for picture, example in zip(page.pictures, found.spread(6), strict=True):
        np.testing.assert_array_equal(picture, pictures.annotated(found, example))
        assert example.id in page.text
    assert 'http' not in path.read_text(), 'it needs nothing from elsewhere'
    for words in ('Classes', 'Lengths', 'rejected', '8'):
        assert words in page.text


def test_a_page_of_documents_escapes_what_they_say(markup, tmp_path, capsys):
    path = tmp_path / 'page.html'
    assert inspect(capsys, markup, f'--html={path}', '--examples=3')[0] == 0
    page = Page(path.read_text())
    assert 'script' not in {tag for tag, _ in page.tags}
    assert page.text.count('</script> & gr') >= 3
    kinds = [attributes.get('class', '') for tag, attributes in page.tags if tag == 'span']
    assert {'s0', 's1', 'stretch', 'r', 'p'} <= {word for kind in kinds for word in kind.split()}
