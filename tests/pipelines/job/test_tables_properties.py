"""Tables of documents: rows are those of Python's csv and json, whatever the bytes are."""

import csv
import gzip
import io
import json
import re
import tempfile
from pathlib import Path

from hypothesis import strategies as st
from properties import damaged, holds, outcome

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected
from pipelines.job.sources.registry import make_source

BOM = b'\xef\xbb\xbf'


def rows_of(kind, data, *, packed, **flags):
    """(id, label, text or None) of each row, in the table's order; or the refusal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f't.{kind}.gz' if packed else f't.{kind}')
        path.write_bytes(gzip.compress(data, 1) if packed else data)
        return outcome(LonghaulError, _read, f'{kind}:{path}', flags)


def _read(source, flags):
    source = make_source(source, flags)
    (group,) = source.groups()
    items = list(source.items(group))
    # Each row by its own place, and in another order than they stand in.
    found = list(source.read(group.path, items[::-1]))[::-1]
    assert all(isinstance(f, Payload) or (isinstance(f, Rejected) and f.reason) for f in found)
    texts = [f.content.decode() if isinstance(f, Payload) else None for f in found]
    return [(item.id, item.label, text) for item, text in zip(items, texts, strict=True)]


def is_wide(data):
    """Begins as UTF-16 or UTF-32 do, with a mark or a zero byte: no row can be found in it."""
    return data[:2] in (b'\xff\xfe', b'\xfe\xff') or data[:4:2] == b'\0\0' or data[1:4:2] == b'\0\0'


def csv_rows(data):
    """Python's rows; None for one that it refuses, or that opens a quote and never closes it."""
    text = data.removeprefix(BOM).decode('utf-8', 'surrogateescape')
    found = list(_csv_rows(text))
    if found and list(_csv_rows(f'{text}\nlast'))[-1] != ['last']:
        found[-1] = None
    return [row for row in found if row != []]


def _csv_rows(text):
    reader = csv.reader(io.StringIO(text, newline='\n'))
    while True:
        try:
            yield next(reader)
        except csv.Error:
            yield None
        except StopIteration:
            return


def cell_text(cell):
    """None where its bytes are no UTF-8: judged as a whole, since quotes may have parted them."""
    try:
        return cell.encode('utf-8', 'surrogateescape').decode()
    except UnicodeError:
        return None


def utf8(text):
    """None where escapes stand for what is no text."""
    try:
        return text.encode().decode()
    except UnicodeError:
        return None


def unclear(header):
    """Two columns of one name, or a column that is almost one that counts."""
    named = [name for name in header if name.strip()]
    plain = {re.sub('[^a-z]', '', name.lower()) for name in header}
    near = [n for n in ('label', 'split') if n not in header and plain & {n, f'{n}s'}]
    return len(set(named)) < len(named) or near or 'split' in header


def csv_expected(data):
    """What the source is to make of a table with a header row; None: a refusal."""
    header, *rows = csv_rows(data) or [None]
    if is_wide(data) or header is None or 'text' not in header or unclear(header):
        return None
    place = header.index('label') if 'label' in header else None
    found = []
    for i, row in enumerate(rows):
        label = text = None
        if row is not None and len(row) == len(header):
            label = '' if place is None else cell_text(row[place])
            text = None if label is None else cell_text(row[header.index('text')])
        found.append((f'train/{i:06}', (label or '').strip() or None, text))
    return found


@st.composite
def csv_tables(draw):
    """As Python writes them, by any dialect that it reads again unasked."""
    file = io.StringIO(newline='')
    end = draw(st.sampled_from(['\n', '\r\n']))
    quoting = draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    writer = csv.writer(file, lineterminator=end, quoting=quoting)
    cell = st.text(st.one_of(st.sampled_from('a ,"\n\0é'), st.characters(codec='utf-8')))
    header = draw(st.permutations(['text', 'label', 'more']))
    rows = draw(st.lists(st.tuples(cell, cell, cell), max_size=5))
    writer.writerows([header, *rows])
    return draw(st.sampled_from([b'', BOM])) + file.getvalue().encode()


csv_pieces = st.lists(
    st.sampled_from(
        [b'a', b',', b'"', b'\n', b'\r', b'\r\n', b' ', b'\xe9', 'é'.encode(), b'\0', BOM]
    )
).map(b''.join)


@holds(150, rows=st.lists(st.tuples(st.text(), st.text()), max_size=5), packed=st.booleans())
def test_cells_come_back(rows, packed):
    file = io.StringIO(newline='')
    csv.writer(file).writerows([['label', 'text'], *rows])
    found, error = rows_of('csv', file.getvalue().encode(), packed=packed)
    assert error is None
    assert found == [
        (f'train/{i:06}', label.strip() or None, text) for i, (label, text) in enumerate(rows)
    ]


@holds(
    250,
    data=st.one_of(
        csv_tables(),
        damaged(csv_tables(), favourites=b',"\r\n\0'),
        csv_pieces.map(lambda rest: b'text,label\n' + rest),
        csv_pieces,
        st.binary(),
    ),
    packed=st.booleans(),
)
def test_any_table_is_read_as_csv_reads_it_or_refused(data, packed):
    found, _ = rows_of('csv', data, packed=packed)
    assert found == csv_expected(data)


def json_object(line):
    """None where the line holds none."""
    try:
        values = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


NEARLY_LABEL = {'label', 'labels'}


def json_row(values):
    """(label, text); text None for what is rejected."""
    if values is None or 'split' in values:
        return None, None
    label = values.get('label')
    if isinstance(label, float) and label.is_integer() and abs(label) < 1 << 53:
        # As pandas writes a whole number beside a missing one.
        label = int(label)
    if isinstance(label, int) and not isinstance(label, bool):
        label = str(label)
    if label is not None and (not isinstance(label, str) or utf8(label) is None):
        return None, None
    text = values.get('text')
    return (label or '').strip() or None, utf8(text) if isinstance(text, str) else None


def json_expected(data):
    """What the source is to make of the lines; None: a refusal."""
    lines = [line for line in data.split(b'\n') if line.strip()]
    # Every line may have a mark of its own.
    objects = [json_object(line.removeprefix(BOM)) for line in lines]
    if is_wide(data) or not objects or objects[0] is None or 'text' not in objects[0]:
        return None
    letters = {re.sub('[^a-z]', '', name.lower()) for name in objects[0]}
    if letters & {'split', 'splits'} or ('label' not in objects[0] and letters & NEARLY_LABEL):
        return None
    return [(f'train/{i:06}', *json_row(values)) for i, values in enumerate(objects)]


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=4)
documents = st.fixed_dictionaries(
    {'text': st.text()},
    optional={'label': st.one_of(st.text(), st.integers(), values), 'more': values},
)
objects = documents | st.dictionaries(st.sampled_from(['text', 'label', 'more']), values)


@st.composite
def json_tables(draw):
    """As Python writes them; lone surrogates can only stand in escapes."""
    end = draw(st.sampled_from([b'\n', b'\r\n', b'\n\n']))
    lines = [draw(documents), *draw(st.lists(objects, max_size=4))]
    text = st.booleans().map(lambda ascii_: lambda o: json.dumps(o, ensure_ascii=ascii_).encode())
    return draw(st.sampled_from([b'', BOM])) + end.join(draw(text)(o) for o in lines)


json_pieces = st.lists(
    st.sampled_from(
        [b'{"text": "a"}', b'{"text":', b'"\\ud800"', b'"\xe9"', b'}', b'\n', b'[', b'{']
    )
    | st.sampled_from([b', "label": 1', b'\0', b'NaN', b'1e999', b'"a"', b' ', BOM, b'9' * 5000])
).map(b''.join)


@holds(150, objects=st.lists(documents, min_size=1, max_size=5), packed=st.booleans())
def test_objects_come_back(objects, packed):
    data = b'\n'.join(json.dumps(o).encode() for o in objects)
    found, error = rows_of('jsonl', data, packed=packed)
    assert error is None
    assert found == [(f'train/{i:06}', *json_row(o)) for i, o in enumerate(objects)]


@holds(
    250,
    data=st.one_of(
        json_tables(),
        damaged(json_tables(), favourites=b'{}[]":,\\\n\0'),
        json_pieces.map(lambda rest: b'{"text": "a"}\n' + rest),
        json_pieces,
        st.binary(),
        st.integers(1, 100_000).map(lambda n: b'{"text": "a"}\n' + b'[' * n),
        # UTF-16 without a mark, behind a line that is none.
        documents.map(lambda o: b'{"text": "a"}\n' + json.dumps(o).encode('utf-16-be')),
    ).filter(lambda data: b'\xff\xfe' not in data and b'\xfe\xff' not in data),
    packed=st.booleans(),
)
def test_any_lines_are_read_as_json_reads_them_or_refused(data, packed):
    """Without the marks of UTF-16, which decide about a line."""
    found, _ = rows_of('jsonl', data, packed=packed)
    assert found == json_expected(data)


@holds(60, data=damaged(st.one_of(csv_tables(), json_tables()).map(lambda d: gzip.compress(d, 1))))
def test_a_damaged_archive_is_read_or_refused(data):
    for kind in ('csv', 'jsonl'):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, f't.{kind}.gz')
            path.write_bytes(data)
            found, error = outcome(LonghaulError, _read, f'{kind}:{path}', {})
        assert error is not None or found is not None
