"""manifest: the forms a table and its paths can have, and what is refused or rejected."""

import gzip
import json
import os
import shutil

import pytest
import source_data
from source_data import IMAGE_FLAGS, encode_image, picture_files, pixels, refusal, rejected, run_job

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.files.manifest import make_manifest


def write(path, rows):
    """A table of dicts (bytes in JSON lines: the line itself), by its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if '.jsonl' in path.name:
        lines = (r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows)
        data = b''.join(line + b'\n' for line in lines)
    else:
        columns = list(rows[0])
        data = source_data.csv_bytes([columns, *([r[c] for c in columns] for r in rows)])
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path


def job(source, output, *flags):
    assert run_job(f'--source=manifest:{source}', f'--output={output}', *IMAGE_FLAGS, *flags) == 0
    return output


def listed(source):
    return [item for group in source.groups() for item in source.items(group)]


def labels(folder, *splits):
    names = source_data.description(folder)['class_names']
    found = source_data.by_id(folder, *splits)
    return {k: None if e.label < 0 else names[e.label] for k, e in found.items()}


def test_the_images_of_a_folder_named_in_a_table_give_the_same_examples(tmp_path):
    files = picture_files()
    root = source_data.write_folder(tmp_path / 'in', files)
    a = tmp_path / 'a'
    assert run_job(f'--source=images:{root}', f'--output={a}', *IMAGE_FLAGS) == 0
    rows = [{'path': name, 'label': name.partition('/')[0]} for name in files]
    b = job(write(tmp_path / 'in' / 'list.csv', rows), tmp_path / 'b')
    found = source_data.by_id(b)
    assert len(found) == 24
    assert found == source_data.by_id(a)


def test_the_form_of_the_table_and_its_place_do_not_matter(tmp_path):
    """Absolute paths below the table's folder are as good as relative ones."""
    found = []
    for n, suffix in enumerate(('csv', 'csv.gz', 'jsonl', 'jsonl.gz')):
        root = source_data.write_folder(tmp_path / f'in{n}', picture_files(8))
        names = [f'./{name}' if n == 1 else name for name in picture_files(8)]
        paths = [os.path.join(root, name) if n == 2 else name for name in names]
        rows = [{'path': p, 'label': p.split('/')[-2]} for p in paths]
        table = write(root / f'list.{suffix}', rows)
        found.append(source_data.contents(job(table, tmp_path / f'out{n}')))
    assert all(other == found[0] for other in found[1:])


def test_paths_outside_of_the_folder_have_the_row_as_id(tmp_path):
    root = source_data.write_folder(tmp_path / 'in', picture_files(2))
    other = source_data.write_folder(tmp_path / 'other', picture_files(4))
    (root / 'table').mkdir()
    rows = [
        {'path': '../cat/00.png'},
        {'path': f'{other}/cat/02.png'},
        {'path': '../../other/dog/03.png'},
        {'path': 'deep/../01.png'},
    ]
    shutil.copy(root / 'dog' / '01.png', root / 'table' / '01.png')
    (root / 'table' / 'deep').mkdir()
    out = job(write(root / 'table' / 'list.csv', rows), tmp_path / 'out', '--validation_share=0')
    found = {k: e.values for k, e in source_data.by_id(out).items()}
    assert found == {
        'train/000000': pixels(0).tobytes(),
        'train/000001': pixels(2).tobytes(),
        'train/000002': pixels(3).tobytes(),
        'train/01.png': pixels(1).tobytes(),
    }


@pytest.mark.parametrize('suffix', ['csv', 'jsonl.gz'])
def test_a_column_of_splits(tmp_path, suffix):
    files = picture_files()
    root = source_data.write_folder(tmp_path / 'in', files)
    names = {'train': ('train', 'Training'), 'validation': ('dev',), 'test': ('TEST',)}
    splits = ['train', 'dev', 'Training', 'train', 'TEST', 'train']
    rows = [
        {'split': splits[i % 6], 'image': name, 'class': name[:3], 'more': 'x'}
        for i, name in enumerate(files)
    ]
    flags = ('--path_column=image', '--label_column=class')
    out = job(write(root / f'list.{suffix}', rows), tmp_path / 'out', *flags)
    for split, said in names.items():
        expected = {f'{split}/{r["image"]}': r['class'] for r in rows if r['split'] in said}
        assert labels(out, split) == expected
        assert expected


def test_a_folder_has_splits_by_name_and_labels_may_be_missing(tmp_path):
    files = list(picture_files(12))
    root = source_data.write_folder(tmp_path / 'in', picture_files(12))
    write(root / 'train.csv', [{'path': f, 'label': f[:3]} for f in files[:8]])
    write(root / 'Test.jsonl.gz', [{'path': f} for f in files[8:]] + [b'', {'path': 'no.png'}])
    out = job(root, tmp_path / 'out', '--validation_share=0', '--max_rejected_share=.1')
    assert labels(out, 'train') == {f'train/{f}': f[:3] for f in files[:8]}
    assert labels(out, 'test') == {f'test/{f}': None for f in files[8:]}
    assert [r['place'] for r in rejected(out)] == ['Test.jsonl.gz: row 4: no.png']


def test_numbers_stand_for_class_names(tmp_path):
    root = source_data.write_folder(tmp_path / 'in', picture_files(6))
    rows = [{'path': f, 'label': 1 + (f[:3] == 'dog')} for f in picture_files(6)]
    (tmp_path / 'names').write_text('cat\ndog\n')
    flags = (f'--class_names={tmp_path / "names"}', '--validation_share=0')
    out = job(write(root / 'list.jsonl', rows), tmp_path / 'out', *flags)
    assert labels(out) == {f'train/{f}': f[:3] for f in picture_files(6)}


def test_a_name_that_is_no_unicode(tmp_path):
    name = os.fsdecode(b'caf\xe9.png')
    (tmp_path / name).write_bytes(encode_image(pixels(7)))
    table = tmp_path / 'list.csv'
    table.write_bytes(b'path\ncaf\xe9.png\n')
    out = job(table, tmp_path / 'out', '--validation_share=0')
    assert source_data.by_id(out)[f'train/{name}'].values == pixels(7).tobytes()


def strange_files(root):
    """Everything that a path can lead to and that is no image file."""
    (root / 'loop').symlink_to('loop')
    (root / 'gone').symlink_to('nowhere')
    (root / 'empty.png').write_bytes(b'')
    os.mkfifo(root / 'pipe')


def test_what_cannot_be_used_is_rejected_by_name(tmp_path):
    files = list(picture_files())
    root = source_data.write_folder(tmp_path / 'in', picture_files())
    strange_files(root)
    splits = 'the split is none of train, validation, test'
    bad = [
        ({'path': 'cat/none.png'}, 'no such file', None),
        ({'path': 'cat/00.png/x'}, 'no such file', None),
        ({'path': 'cat'}, 'a folder, not a file', None),
        ({'path': 'gone'}, 'no such file', None),
        ({'path': 'loop'}, 'the file cannot be read', 'Too many levels of symbolic links'),
        ({'path': 'pipe'}, 'no regular file', None),
        ({'path': '/dev/zero'}, 'no regular file', None),
        ({'path': 'x' * 300}, 'the file cannot be read', 'File name too long'),
        ({'path': 'empty.png'}, 'the file is empty', None),
        ({'path': ' '}, 'the path is missing', None),
        ({'path': None}, 'the path is missing', None),
        ({'label': 'a'}, 'the path is missing', None),
        ({'path': ['cat/00.png']}, 'the path is missing', None),
        ({'path': 'a\0b'}, 'the path is no file name', None),
        ({'path': 'a\ud800'}, 'the path is no file name', None),
        (
            {'path': 'ftp://host/a.png'},
            'no file system for the path (gs:// needs longhaul[gcp])',
            None,
        ),
        *(
            ({'path': p}, 'no file system for the path (gs:// needs longhaul[gcp])', None)
            for p in ('s3://b/x.png', 'hdfs://h/x.png', 'azfs://a/b/x.png')
        ),
        (
            {'path': 'cat/00.png', 'label': 1.5},
            'the label is neither a string nor a whole number',
            None,
        ),
        ({'path': 'cat/00.png', 'label': '\ud800'}, 'the label is not UTF-8', None),
        ({'path': 'cat/00.png', 'split': 'fold', 'label': 'new'}, splits, "'fold'"),
        ({'path': 'cat/00.png', 'split': None}, splits, 'None'),
        (b'[1]', 'the line is no JSON object', None),
    ]
    rows = [{'path': f, 'split': 'train', 'label': f[:3]} for f in files]
    rows += [r if isinstance(r, bytes) else {'split': 'train', **r} for r, _, _ in bad]
    out = job(write(root / 'list.jsonl', rows), tmp_path / 'out', '--max_rejected_share=.9')
    assert labels(out) == {f'train/{f}': f[:3] for f in files}
    assert source_data.description(out)['class_names'] == ['cat', 'dog']
    found = {int(r['place'].split(':')[0].removeprefix('row ')): r for r in rejected(out)}
    for number, (row, reason, detail) in enumerate(bad, start=len(files)):
        line = found.pop(number)
        assert (line['reason'], line.get('detail')) == (reason, detail)
        path = row.get('path') if isinstance(row, dict) else None
        assert line['place'] == f'row {number}: {path if isinstance(path, str) else ""}'
    assert not found


def test_rows_of_another_length_are_rejected(tmp_path):
    root = source_data.write_folder(tmp_path / 'in', picture_files(4))
    table = root / 'list.csv'
    table.write_text('path,label\n' + ''.join(f'{f},{f[:3]}\n' for f in picture_files(4)) + 'a,b,c')
    out = job(table, tmp_path / 'out', '--max_rejected_share=.5', '--validation_share=0')
    (line,) = rejected(out)
    assert line == {
        'id': 'train/000004',
        'place': 'row 4: ',
        'reason': 'the row has another number of columns than the table',
        'detail': '3 and not 2',
    }
    assert source_data.description(out)['class_names'] == ['cat', 'dog']


def test_a_carriage_return_costs_its_row_alone(tmp_path):
    path = tmp_path / 'list.csv'
    path.write_bytes(b'path,label\r\na.png,cat\r\nb\r.png,dog\r\nc.png,dog\r\n')
    items = listed(make_manifest(str(path)))
    assert [(i.label, i.place.reason) for i in items] == [
        ('cat', ''),
        (None, 'the row has a carriage return outside of quotes'),
        ('dog', ''),
    ]


def test_a_split_that_the_first_object_lacks_is_no_training_data(tmp_path):
    rows = [{'path': 'a.png'}, {'path': 'b.png', 'split': 'test'}]
    items = listed(make_manifest(str(write(tmp_path / 'list.jsonl', rows))))
    assert [i.place.reason for i in items] == [
        '',
        'the row has a split, and the first one has none',
    ]


def test_listing_opens_no_image_and_refuses_none(tmp_path):
    rows = [{'path': f'{i}.png', 'label': 'a'} for i in range(3)]
    source = make_manifest(str(write(tmp_path / 'list.csv', rows)))
    assert [i.id for i in listed(source)] == ['train/0.png', 'train/1.png', 'train/2.png']
    assert source.estimated_items() == 3


def test_an_image_named_twice_is_refused_with_both_rows(tmp_path, capsys):
    root = source_data.write_folder(tmp_path / 'in', picture_files(2))
    rows = [{'path': p} for p in ('cat/00.png', 'dog/01.png', './cat/00.png')]
    source = f'--source=manifest:{write(root / "list.csv", rows)}'
    message = refusal(capsys, source, f'--output={tmp_path / "out"}', *IMAGE_FLAGS)
    expected = "duplicate id 'train/cat/00.png' (row "
    assert message.startswith(expected)
    assert 'row 0: cat/00.png' in message
    assert 'row 2: ./cat/00.png' in message


@pytest.mark.parametrize(
    ('name', 'files', 'flags', 'expected'),
    [
        ('no.csv', {}, {}, 'no such file; name a table'),
        ('list.csv', {'list.csv': ''}, {}, 'list.csv is empty; name a table with rows'),
        ('list.jsonl', {'list.jsonl': '\n'}, {}, 'list.jsonl is empty; name a file with objects'),
        ('list.jsonl', {'list.jsonl': 'path\n'}, {}, 'is no JSON object; one object a line is'),
        ('list.csv', {'list.csv': 'file\na\n'}, {}, '--path_column=path: {}/list.csv has no such'),
        (
            'list.csv',
            {'list.csv': 'path\na\n'},
            {'label_column': 'y'},
            '--label_column=y: {}/list.csv has no such column; its columns are: path',
        ),
        (
            'list.csv',
            {'list.csv': 'path,label\na.png,cat\nb.png,"cat\n' + 'c.png,dog\n' * 500},
            {},
            'list.csv: row 1 (from 0) opens a quote that is never closed, and took 501 lines with '
            'it; mend the row',
        ),
        (
            'list.csv',
            {'list.csv': 'path,"label\na.png,cat\n'},
            {},
            'the first row of {}/list.csv is damaged: the row opens a quote that is never closed',
        ),
        (
            'list.csv',
            {'list.csv': 'p\0a\0t\0h\0\n\0'},
            {},
            'list.csv is UTF-16, and the rows of a table are found by the bytes of their line ends',
        ),
        (
            'list.csv',
            {'list.csv': ','.join(f'column {i}' for i in range(10_000)) + '\n'},
            {},
            'column 26, column 27, co...',
        ),
        ('list.csv', {'list.csv': 'path\n'}, {}, 'no row to train on'),
        ('list.csv', {'list.csv': 'path,split\na,test\n'}, {}, 'no row to train on'),
        (
            'list.csv',
            {'list.csv': 'path,Label\na,b\n'},
            {},
            "no column 'label', but one named 'Label'",
        ),
        (
            'list.csv',
            {'list.csv': 'path,Splits\na,b\n'},
            {},
            "'split', but one named 'Splits'; rename",
        ),
        ('list.csv', {'list.csv': 'path,label,path\na,b,c\n'}, {}, "has 2 columns named 'path'"),
        ('', {'test.csv': 'path\na\n'}, {}, 'neither a table whose name ends in .csv, .tsv or'),
        ('no', {}, {}, 'neither a table whose name ends in'),
        (
            '',
            {'train.csv': 'path\na\n', 'train.jsonl': '{"path": "a"}\n'},
            {},
            'holds train.csv, train.jsonl, one split more than once; keep one of each',
        ),
        (
            '',
            {'train.csv': 'path,split\na,train\n'},
            {},
            'has its split from its name, and one of them has a column split as well',
        ),
    ],
)
def test_refusals(tmp_path, name, files, flags, expected):
    source_data.write_folder(tmp_path, {k: v.encode() for k, v in files.items()})
    with pytest.raises(LonghaulError) as caught:
        make_manifest(str(tmp_path / name), **flags)
    assert expected.format(tmp_path) in str(caught.value)


def test_a_pipe_is_no_table(tmp_path):
    os.mkfifo(tmp_path / 'list.csv')
    with pytest.raises(LonghaulError, match='list.csv: no regular file; name a table'):
        make_manifest(str(tmp_path / 'list.csv'))


def test_a_remote_table_without_its_library_is_refused_in_one_line():
    with pytest.raises(LonghaulError) as caught:
        make_manifest('nosuch://bucket/list.csv')
    assert str(caught.value).startswith(
        '--source=manifest:nosuch://bucket/list.csv: cannot be looked at ('
    )
