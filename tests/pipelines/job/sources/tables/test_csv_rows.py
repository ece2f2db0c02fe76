"""csv: rows by their offsets, the forms a table can have, and what is refused or rejected."""

import bz2
import csv
import gzip
import io
import lzma
import os

import pytest
import source_data
from source_data import documents, refusal, rejected, run_job, write_csv

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.registry import make_source
from pipelines.job.sources.tables.documents import make_csv

FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')


def job(source, output, *flags):
    assert run_job(f'--source=csv:{source}', f'--output={output}', *FLAGS, *flags) == 0
    return output


def texts(folder, *splits):
    """id -> (class name or None, text)."""
    names = source_data.description(folder)['class_names']
    return {
        example_id: (None if e.label < 0 else names[e.label], e.values.decode())
        for example_id, e in source_data.by_id(folder, *splits).items()
    }


def raw(path, data: bytes):
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path


# What makes reading by offset hard: quotes, commas, line ends inside of cells, wide characters,
# blank lines, line ends of both kinds, and no line end at all.
HARD = (
    'label,text\r\n'
    'a,plain\r\n'
    'b,"with, comma"\n'
    '\r\n'
    '\n'
    'a,"two\nlines"\n'
    'b,"three\r\n\r\nlines"\r\n'
    'a,"a ""quote"""\n'
    'b,größe €  \n'
    'a," spaces "\n'
    ' b ,label with spaces\n'
    ',no label\n'
    'a,last'
).encode()


@pytest.mark.parametrize('bom', [b'', b'\xef\xbb\xbf'], ids=['', 'bom'])
@pytest.mark.parametrize('name', ['t.csv', 't.csv.gz'])
def test_reads_what_csv_reads(tmp_path, name, bom):
    path = raw(tmp_path / name, bom + HARD)
    out = job(path, tmp_path / 'out', '--validation_share=0', '--shards=2')
    rows = [r for r in csv.reader(io.StringIO(HARD.decode(), newline='')) if r][1:]
    expected = {
        f'train/{i:06}': (label.strip() or None, text) for i, (label, text) in enumerate(rows)
    }
    assert len(expected) == 10
    assert expected['train/000003'] == ('b', 'three\r\n\r\nlines')
    assert texts(out) == expected


def test_gzipped_or_not_gives_the_same_bytes(tmp_path):
    a, b = (
        job(write_csv(tmp_path / n / f't.csv{s}', documents()), tmp_path / f'out-{n}')
        for n, s in (('plain', ''), ('zipped', '.gz'))
    )
    assert source_data.contents(a) == source_data.contents(b)


def test_a_folder_has_splits(tmp_path):
    write_csv(tmp_path / 'in' / 'train.csv', documents(30))
    write_csv(tmp_path / 'in' / 'test.csv.gz', documents(10))
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0.2')
    assert sorted(texts(out, 'test')) == [f'test/{i:06}' for i in range(10)]
    assert sorted(texts(out, 'train', 'validation')) == [f'train/{i:06}' for i in range(30)]
    assert texts(out)['test/000009'] == tuple(documents(10)[10])


def test_a_validation_table_is_a_split_of_its_own(tmp_path, capsys):
    for split, count in (('train', 30), ('validation', 7), ('test', 10)):
        write_csv(tmp_path / 'in' / f'{split}.csv', documents(count))
    out = job(tmp_path / 'in', tmp_path / 'out', '--validation_share=0.2')
    assert sorted(texts(out, 'train')) == [f'train/{i:06}' for i in range(30)]
    assert sorted(texts(out, 'validation')) == [f'validation/{i:06}' for i in range(7)]
    assert 'has a validation split of its own; --validation_share is not used' in (
        capsys.readouterr().err
    )


def test_other_columns(tmp_path):
    rows = [[str(i), text, label, 'x'] for i, (label, text) in enumerate(documents(20)[1:])]
    path = write_csv(tmp_path / 't.csv', [['n', 'body', 'class', 'more'], *rows])
    flags = ('--text_column=body', '--label_column=class', '--validation_share=0')
    out = job(path, tmp_path / 'out', *flags)
    expected = {f'train/{i:06}': tuple(r) for i, r in enumerate(documents(20)[1:])}
    assert texts(out) == expected


def test_a_table_without_a_header_row(tmp_path):
    path = raw(tmp_path / 't.csv', b'\xef\xbb\xbf' + source_data.csv_bytes(documents(20)[1:]))
    out = job(path, tmp_path / 'out', '--csv_columns=label,text', '--validation_share=0')
    assert texts(out) == {f'train/{i:06}': tuple(r) for i, r in enumerate(documents(20)[1:])}


def test_a_table_without_labels(tmp_path):
    path = write_csv(tmp_path / 't.csv', [['text'], *([t] for _, t in documents(20)[1:])])
    out = job(path, tmp_path / 'out', '--validation_share=0')
    assert {e.label for e in source_data.examples(out)} == {-1}
    described = source_data.description(out)
    assert described['class_names'] == []
    assert described['counts']['classes']['train'] == {'': 20}


def test_max_steps_cuts_the_end_off(tmp_path):
    out = job(write_csv(tmp_path / 't.csv', documents()), tmp_path / 'out', '--max_steps=11')
    full = {f'train/{i:06}': t for i, (_, t) in enumerate(documents()[1:])}
    assert {k: v for k, (_, v) in texts(out).items()} == {k: v[:11] for k, v in full.items()}


@pytest.mark.parametrize('name', ['t.csv', 't.csv.gz'])
def test_bad_rows_are_rejected_one_by_one(tmp_path, name):
    good = b''.join(b'a,text %d\n' % i for i in range(40))
    bad = b'a\nb,too,many\nzz,too,many\na,\na,"  "\n\xff,label\na,\xe9t\xe9\n'
    out = job(
        raw(tmp_path / name, b'label,text\n' + bad + good),
        tmp_path / 'out',
        '--max_rejected_share=.2',
    )
    columns = 'the row has another number of columns than the table'
    assert [(r['id'], r['place'], r['reason'], r.get('detail')) for r in rejected(out)] == [
        ('train/000000', 'row 0', columns, '1 and not 2'),
        ('train/000001', 'row 1', columns, '3 and not 2'),
        ('train/000002', 'row 2', columns, '3 and not 2'),
        ('train/000003', 'row 3', 'the text is empty', None),
        ('train/000004', 'row 4', 'the text is empty', None),
        ('train/000005', 'row 5', 'the label is not UTF-8', None),
        ('train/000006', 'row 6', 'the text is not UTF-8', None),
    ]
    # The labels of rows that are out of step make no class.
    assert source_data.description(out)['class_names'] == ['a']
    assert source_data.description(out)['counts']['rejected'] == 7
    assert len(texts(out)) == 40


def test_class_names_in_their_order(tmp_path):
    (tmp_path / 'names.txt').write_text('sun\n\n rain \nsnow\n')
    path = write_csv(tmp_path / 't.csv', documents(20))
    out = job(path, tmp_path / 'out', f'--class_names={tmp_path / "names.txt"}')
    assert source_data.description(out)['class_names'] == ['sun', 'rain', 'snow']
    assert source_data.by_id(out)['train/000000'].label == 1
    assert texts(out)['train/000000'][0] == 'rain'


def test_integers_stand_for_class_names(tmp_path):
    (tmp_path / 'names.txt').write_text('World\nSports\n')
    rows = [['label', 'text'], *([str(i % 2 + 1), f'text {i}'] for i in range(20))]
    out = job(
        write_csv(tmp_path / 't.csv', rows),
        tmp_path / 'out',
        f'--class_names={tmp_path / "names.txt"}',
    )
    assert texts(out)['train/000003'] == ('Sports', 'text 3')


def test_a_label_that_is_none_of_the_classes_is_rejected(tmp_path):
    (tmp_path / 'names.txt').write_text('sun\nrain\n')
    path = write_csv(tmp_path / 't.csv', [*documents(40), ['fog', 'grey']])
    flags = (f'--class_names={tmp_path / "names.txt"}', '--max_rejected_share=0.05')
    out = job(path, tmp_path / 'out', *flags)
    assert rejected(out) == [
        {
            'id': 'train/000040',
            'place': 'row 40',
            'reason': 'the label is none of the classes',
            'detail': 'fog',
        }
    ]


def test_one_split_in_two_files_is_refused(tmp_path, capsys):
    for name in ('train.csv', 'train.csv.gz'):
        write_csv(tmp_path / 'in' / name, documents(1))
    source = f'--source=csv:{tmp_path / "in"}'
    message = refusal(capsys, source, f'--output={tmp_path / "out"}', *FLAGS)
    assert message == (
        f'--source=csv:{tmp_path / "in"}: holds train.csv, train.csv.gz, one split more than once; '
        'keep one of each'
    )
    assert not (tmp_path / 'out' / 'records.json').exists()


TABLE = source_data.csv_bytes(documents(4))


@pytest.mark.parametrize(
    ('data', 'flags', 'expected'),
    [
        pytest.param(b'', (), 'is empty; name a table with rows', id='empty'),
        pytest.param(
            b'label,body\na,b\n',
            (),
            '--text_column=text: {} has no such column; its columns are: label, body.',
            id='text-column',
        ),
        pytest.param(
            TABLE, ('--text_column=Text',), '--text_column=Text: {} has no such', id='case'
        ),
        pytest.param(
            TABLE, ('--label_column=y',), '--label_column=y: {} has no such', id='label-column'
        ),
        pytest.param(
            TABLE, ('--csv_columns=label,text',), '{} has this very header row', id='header-twice'
        ),
        pytest.param(
            TABLE, ('--csv_columns=a,b',), '--text_column=text: {} has no such', id='other-columns'
        ),
        pytest.param(
            b'label,text\ra,x\rb,y\r', (), 'the first row of {} is damaged: the row', id='returns'
        ),
        pytest.param(b'label,text\n', (), 'no usable item', id='header-alone'),
    ],
)
def test_refusals(tmp_path, capsys, data, flags, expected):
    path = raw(tmp_path / 't.csv', data)
    message = refusal(
        capsys, f'--source=csv:{path}', f'--output={tmp_path / "out"}', *FLAGS, *flags
    )
    assert expected.format(path) in message
    assert not (tmp_path / 'out' / 'records.json').exists()


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('none', 'no such file or folder; name a table'),
        ('folder', 'holds neither train.csv nor train.csv.gz; name the file itself'),
    ],
)
def test_refuses_a_source_without_a_table(tmp_path, capsys, name, expected):
    write_csv(tmp_path / 'folder' / 'test.csv', documents(4))
    source = f'--source=csv:{tmp_path / name}'
    message = refusal(capsys, source, f'--output={tmp_path / "out"}')
    assert message.startswith(f'{source}: {expected}')


@pytest.mark.parametrize('keep', [-9, 40], ids=['without-its-end', 'half'])
def test_refuses_a_gzip_cut_off(tmp_path, capsys, keep):
    path = tmp_path / 't.csv.gz'
    path.write_bytes(gzip.compress(source_data.csv_bytes(documents(200)))[:keep])
    message = refusal(capsys, f'--source=csv:{path}', f'--output={tmp_path / "out"}', *FLAGS)
    assert message.startswith(f'--source: {path} cannot be read (')
    assert message.endswith('; mend the file, or name another one')


@pytest.mark.parametrize(
    ('name', 'pack', 'flags'),
    [
        ('TABLE.CSV.GZ', gzip.compress, ()),
        ('packed.csv', gzip.compress, ()),
        ('t.csv.bz2', bz2.compress, ()),
        ('t.csv.xz', lzma.compress, ()),
        ('plain.csv.gz', bytes, ()),
        ('t.tsv.xz', lambda data: lzma.compress(data.replace(b',', b'\t')), {}),
        ('t.csv', lambda data: data.replace(b',', b';'), {'delimiter': ';'}),
        ('t.txt', lambda data: data.replace(b',', b'\t'), {'delimiter': 'tab'}),
    ],
)
def test_how_a_table_is_packed_and_parted(tmp_path, name, pack, flags):
    data = source_data.csv_bytes([['label', 'text', ''], *(['a', f'{i}', ''] for i in range(9))])
    source = make_source(f'csv:{raw(tmp_path / name, pack(data))}', dict(flags))
    items = list(source.items(source.groups()[0]))
    found = [p.content for p in source.read(source.path, items[::-1])]
    assert found == [b'%d' % i for i in reversed(range(9))]
    assert {item.label for item in items} == {'a'}


@pytest.mark.parametrize('packed', [False, True])
def test_a_table_that_changes_is_refused(tmp_path, packed):
    path = tmp_path / 't.csv'

    def write(*rows):
        data = source_data.csv_bytes([['label', 'text'], *rows])
        raw(path, gzip.compress(data) if packed else data)

    write(['a', 'one'], ['b', 'two'])
    source = make_csv(str(path))
    (group,) = source.groups()
    items = list(source.items(group))
    read = source.read(str(path), items)
    assert next(read).content == b'one'
    write(['c', 'new'], ['a', 'one'], ['b', 'two'])
    message = f'--source: {path} has changed while the job reads it, so that its rows would get'
    for reading in (source.read(str(path), items), source.items(group)):
        with pytest.raises(LonghaulError) as caught:
            list(reading)
        assert str(caught.value).startswith(message)
    write(['b', 'one'], ['a', 'two'])
    os.utime(path, ns=(0, 0))
    with pytest.raises(LonghaulError):
        list(source.read(str(path), items))


def test_a_place_is_the_offset_of_its_row(tmp_path):
    path = raw(tmp_path / 't.csv', HARD)
    source = make_csv(str(path))
    items = list(source.items(source.groups()[0]))
    assert HARD[items[3].place :].startswith(b'b,"three')
    # In any order, one row again and again.
    wanted = [items[3], items[0], items[3], items[9]]
    found = [p.content for p in source.read(str(path), wanted)]
    assert found == [b'three\r\n\r\nlines', b'plain', b'three\r\n\r\nlines', b'last']
