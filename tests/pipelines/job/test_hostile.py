"""Hostile input: each bad item is named with its reason, and costs its neighbours nothing.

One job per source, with all of its bad items among good ones; then a test for each item.
"""

import json
import os

import hostile
import pytest
import raw_zip
import source_data
from hostile import Bad
from raw_zip import Entry
from source_data import IMAGE_FLAGS, run_job
from watchdog import watchdog

MOST = 64
TEXT_FLAGS = ('--auxiliary_steps=5', '--segment_steps=8', f'--max_steps={MOST}')
FLAGS = ('--validation_share=0', '--max_rejected_share=0.99', '--shards=2')


@pytest.fixture(autouse=True)
def no_hanging():
    with watchdog(120):
        yield


def run(source, out, *flags):
    """A job with bad items; id -> its line in rejected-*.jsonl, and id -> (class, values)."""
    with watchdog(240):
        assert run_job(f'--source={source}', f'--output={out}', *FLAGS, *flags) == 0
    lines = source_data.rejected(out)
    assert len({line['id'] for line in lines}) == len(lines)
    names = source_data.description(out)['class_names']
    examples = source_data.by_id(out)
    found = {k: (None if e.label < 0 else names[e.label], e.values) for k, e in examples.items()}
    return {line['id']: line for line in lines}, found


def check(line, *, place, reason, detail=None):
    assert line['place'] == place
    assert line['reason'].startswith(reason)
    assert line.get('detail', '').startswith(detail or '')


def labelled(files):
    return {f'train/{name}': (name.split('/')[0], data) for name, data in files.items()}


GOOD = {name: source_data.pixels(i).tobytes() for i, name in enumerate(source_data.picture_files())}
BAD_IMAGES, BAD_ENTRIES, BAD_TEXTS = (
    hostile.bad_images(), hostile.bad_entries(), hostile.bad_texts(),
)  # fmt: skip
ROWS, LINES = hostile.csv_rows(), hostile.json_lines()


@pytest.fixture(scope='module')
def images(tmp_path_factory):
    root = tmp_path_factory.mktemp('images')
    files = source_data.picture_files() | hostile.strange_images()
    source = hostile.make_folder(root / 'in', files, BAD_IMAGES)
    os.mkdir(os.fsencode(source) + b'/caf\xe9')
    with open(os.fsencode(source) + b'/caf\xe9/1.png', 'wb') as file:
        file.write(source_data.encode_image(source_data.pixels(0)))
    return run(f'images:{source}', root / 'out', *IMAGE_FLAGS)


@pytest.mark.parametrize('name', BAD_IMAGES)
def test_bad_images(images, name):
    item = BAD_IMAGES[name]
    check(images[0][f'train/{name}'], place=name, reason=item.reason, detail=item.detail)


def test_a_class_whose_name_is_no_unicode(images):
    check(
        images[0]['train/caf\udce9/1.png'],
        place='caf\udce9/1.png',
        reason='the name of its class is not UTF-8: rename the folder',
    )


def test_every_good_image_arrived(images):
    rejected, found = images
    names = enumerate(hostile.strange_images(), start=100)
    strange = {name: source_data.pixels(i).tobytes() for i, name in names}
    assert found == labelled(GOOD | strange)
    assert len(rejected) == len(BAD_IMAGES) + 1


@pytest.fixture(scope='module')
def zipped(tmp_path_factory):
    root = tmp_path_factory.mktemp('zip')
    good = [Entry(name.encode(), data) for name, data in source_data.picture_files().items()]
    strange = [Entry(name, data) for name, data in hostile.strange_entries().values()]
    bad = [entry for entry, _ in BAD_ENTRIES.values()]
    (root / 'in.zip').write_bytes(raw_zip.raw_zip([*good[:12], *bad, *strange, *good[12:]]))
    return run(f'images:{root / "in.zip"}', root / 'out', *IMAGE_FLAGS), root


@pytest.mark.parametrize('name', BAD_ENTRIES)
def test_bad_entries_of_a_zip(zipped, name):
    check(zipped[0][0][f'train/{name}'], place=name, reason=BAD_ENTRIES[name][1])


def test_every_good_entry_arrived_and_nothing_was_unpacked(zipped):
    (rejected, found), root = zipped
    names = enumerate(hostile.strange_entries(), start=100)
    strange = {name: source_data.pixels(i).tobytes() for i, name in names}
    assert found == labelled(GOOD | strange)
    assert len(rejected) == len(BAD_ENTRIES)
    assert sorted(p.name for p in root.iterdir()) == ['in.zip', 'out']
    assert not [p for p in root.rglob('*') if 'escape' in p.name or 'passwd' in p.name]


@pytest.fixture(scope='module')
def texts(tmp_path_factory):
    root = tmp_path_factory.mktemp('texts')
    good = {f'dog/{i}.txt': b'neighbour %d' % i for i in range(20)}
    strange = {name: data for name, (data, _) in hostile.strange_texts().items()}
    source = hostile.make_folder(root / 'in', good | strange, BAD_TEXTS)
    return run(f'texts:{source}', root / 'out', *TEXT_FLAGS), good


@pytest.mark.parametrize('name', BAD_TEXTS)
def test_bad_texts(texts, name):
    item = BAD_TEXTS[name]
    check(texts[0][0][f'train/{name}'], place=name, reason=item.reason, detail=item.detail)


def test_every_good_text_arrived(texts):
    (rejected, found), good = texts
    strange = {name: data[:MOST] for name, (_, data) in hostile.strange_texts().items()}
    assert found == labelled(good | strange)
    assert len(rejected) == len(BAD_TEXTS)


def table(tmp_path_factory, kind, head, rows, write):
    """A bad row after every good one; (rejected, found), and what was to be found by row."""
    root = tmp_path_factory.mktemp(kind)
    good = list(hostile.good_rows(len(rows)))
    lines, expected = list(head), []
    for neighbour, (line, what) in zip(good, rows, strict=True):
        lines += [write(*neighbour), line]
        expected += [neighbour, what]
    path = source_data.write_packed(root / f't.{kind}', b'\n'.join(lines))
    return run(f'{kind}:{path}', root / 'out', *TEXT_FLAGS), expected


@pytest.fixture(scope='module')
def csv_table(tmp_path_factory):
    return table(tmp_path_factory, 'csv', [b'label,text'], ROWS, lambda a, b: a.encode() + b',' + b)


@pytest.fixture(scope='module')
def json_table(tmp_path_factory):
    return table(
        tmp_path_factory,
        'jsonl',
        [],
        LINES,
        lambda a, b: json.dumps({'label': a, 'text': b.decode()}).encode(),
    )


def check_row(found, number, noun):
    (rejected, examples), expected = found
    what, row = expected[2 * number + 1], 2 * number + 1
    if isinstance(what, Bad):
        line = rejected[f'train/{row:06}']
        check(line, place=f'{noun} {row}', reason=what.reason, detail=what.detail)
    else:
        assert examples[f'train/{row:06}'] == (what[0], what[1][:MOST])


def check_neighbours(found):
    (rejected, examples), expected = found
    good = {i: what for i, what in enumerate(expected) if not isinstance(what, Bad)}
    assert examples == {f'train/{i:06}': (a, b[:MOST]) for i, (a, b) in good.items()}
    assert len(rejected) == len(expected) - len(good)


@pytest.mark.parametrize('number', range(len(ROWS)), ids=[repr(r[:20]) for r, _ in ROWS])
def test_rows(csv_table, number):
    check_row(csv_table, number, 'row')


@pytest.mark.parametrize('number', range(len(LINES)), ids=[repr(r[:20]) for r, _ in LINES])
def test_lines(json_table, number):
    check_row(json_table, number, 'object')


def test_every_good_row_arrived(csv_table):
    check_neighbours(csv_table)


def test_every_good_line_arrived(json_table):
    check_neighbours(json_table)
