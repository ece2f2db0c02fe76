"""Jobs that cannot be done: one line that says why, and nothing that passes for finished."""

import errno
import gzip
import json
import lzma
import os
import resource
import struct

import numpy as np
import pytest
import raw_zip
import source_data
from raw_zip import Entry
from source_data import IMAGE_FLAGS, documents, encode_image, pixels, refusal, run_job
from watchdog import watchdog

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from pipelines.job import shards, writing

TEXT_FLAGS = ('--auxiliary_steps=5', '--segment_steps=8')
TABLE = source_data.csv_bytes(documents(8))
LINES = b'{"label": "a", "text": "x"}\n' * 8
PICTURE = encode_image(pixels(0))
ZIP = raw_zip.raw_zip([Entry(b'cat/1.png', PICTURE), Entry(b'dog/1.png', PICTURE)])
IDX = source_data.idx_bytes(np.zeros((30, 4, 4), np.uint8))
IDX_NAME = 'in/train-images-idx3-ubyte'
NO_ZIP = 'cannot be opened as a zip ('
IDX_HEAD = bytes([0, 0, 8, 3])


@pytest.fixture(autouse=True)
def no_hanging():
    with watchdog(120):
        yield


# Kind of the source, its place, files, flags, parts of the refusal ({} is the temporary folder).
JOBS = {
    'no-such-table': ('csv', 't.csv', {}, (), ['--source=csv:{}/t.csv: no such file or folder']),
    'empty-table': ('csv', 't.csv', {'t.csv': b''}, (), ['{}/t.csv is empty; name a table']),
    'blank-table': ('csv', 't.csv', {'t.csv': b'\n\n \n'}, (), ['--text_column=text: {}/t.csv ']),
    'header-alone': ('csv', 't.csv', {'t.csv': b'label,text\n'}, (), ['no usable item; name a']),
    'no-text-column': (
        'csv',
        't.csv',
        {'t.csv': b'label,body\na,b\n'},
        (),
        ['--text_column=text: ', 'its columns are: label, body', '--csv_columns=A,B,C'],
    ),
    'no-label-column': (
        'csv', 't.csv', {'t.csv': TABLE}, ('--label_column=y',), ['--label_column=y: ', 'no such'],
    ),
    'labels-only-in-test': (
        'csv',
        'in',
        {'in/train.csv': TABLE, 'in/test.csv': TABLE + b'fog,grey\n'},
        (),
        ['labels that occur in the test split alone: fog; no model can learn them: mend the '],
    ),
    'test-alone': ('csv', 'in', {'in/test.csv': TABLE}, (), ['holds neither train.csv nor']),
    'column-of-splits': (
        'csv',
        't.csv',
        {'t.csv': b'label,text,split\na,b,test\n'},
        (),
        ['--source=csv:{}/t.csv: has a column \'split\', which this source does not read: '],
    ),
    'all-rows-bad': (
        'csv', 't.csv', {'t.csv': b'label,text\na\nb\n'}, (), ['2 of 2 items cannot be used (2 x '],
    ),
    'wide-table': (
        'csv', 't.csv', {'t.csv': TABLE.decode().encode('utf-16')}, (), ['is UTF-16', 'iconv'],
    ),
    'old-mac-table': (
        'csv', 't.csv', {'t.csv': TABLE.replace(b'\r\n', b'\r')}, (), ['the first row of', 'tr '],
    ),
    'zip-by-name': (
        'csv', 't.csv', {'t.csv': ZIP}, (), ['{}/t.csv is a zip or a workbook, by its first bytes'],
    ),
    'cut-xz': ('csv', 't.csv', {'t.csv': lzma.compress(TABLE)[:-9]}, (), ['cannot be read (']),
    'columns-of-one-name': (
        'csv', 't.csv', {'t.csv': b'text,label,text\na,b,c\n'}, (), ["2 columns named 'text'; re"],
    ),
    'names-of-one-name': (
        'csv',
        't.csv',
        {'t.csv': b'a,b,c\n'},
        ('--csv_columns=label,text,label',),
        ["has 2 columns named 'label'; rename all but one"],
    ),
    'other-delimiter': (
        'csv', 't.csv', {'t.csv': b'text;label\na;b\n'}, (), ["add --delimiter=';'"],
    ),
    'tabs': ('csv', 't.csv', {'t.csv': b'text\tlabel\na\tb\n'}, (), ['add --delimiter=tab']),
    'no-delimiter': ('csv', 't.csv', {'t.csv': TABLE}, ('--delimiter=ab',), ['one sign is needed']),
    'label-with-a-space': (
        'csv',
        't.csv',
        {'t.csv': b'text, label\na,b\n'},
        (),
        ["has no column 'label', but one named ' label'; add --label_column=\" label\", or"],
    ),
    'labels': (
        'jsonl',
        't.jsonl',
        {'t.jsonl': b'{"text": "a", "Labels": "b"}\n'},
        (),
        ["has no column 'label', but one named 'Labels'; add --label_column=\"Labels\", or"],
    ),
    'cut-gzip': (
        'csv', 't.csv.gz', {'t.csv.gz': gzip.compress(TABLE)[:-9]}, (), ['cannot be read ('],
    ),
    'binary-table': ('csv', 't.csv', {'t.csv': PICTURE}, (), ['--text_column=text', '\\udc89PNG']),
    'unclosed-header': ('csv', 't.csv', {'t.csv': b'label,"text\na,b\n'}, (), ['never closed']),
    'no-object': ('jsonl', 't.jsonl', {'t.jsonl': TABLE}, (), ['the line is no JSON object;']),
    'json-document': (
        'jsonl', 't.jsonl', {'t.jsonl': b'[{"text":"a"}]'}, (), ['one object a line is needed'],
    ),
    'no-key': (
        'jsonl',
        't.jsonl',
        {'t.jsonl': b'{"body": "x"}\n'},
        (),
        ['--text_column=text: the first object of', 'its keys are: body'],
    ),
    'json-labels-only-in-test': (
        'jsonl',
        'in',
        {'in/train.jsonl': LINES, 'in/test.jsonl': b'{"label": "b", "text": "x"}\n'},
        (),
        ['labels that occur in the test split alone: b;'],
    ),
    'unknown-encoding': (
        'csv', 't.csv', {'t.csv': TABLE}, ('--encoding=cp-1252',), ['did you mean cp1252?'],
    ),
    'classes-in-test-alone': (
        'images',
        'in',
        {'in/train/cat/1.png': PICTURE, 'in/test/fox/1.png': PICTURE},
        IMAGE_FLAGS,
        ['labels that occur in the test split alone: fox;'],
    ),
    'no-classes': ('images', 'in', {'in/1.png': PICTURE}, IMAGE_FLAGS, ['holds no CLASS/NAME']),
    'no-zip': ('images', 'i.zip', {'i.zip': b'PK\3\4'}, IMAGE_FLAGS, [NO_ZIP]),
    'cut-zip': ('images', 'i.zip', {'i.zip': ZIP[:-30]}, IMAGE_FLAGS, [NO_ZIP]),
    'damaged-directory': (
        'images',
        'i.zip',
        {'i.zip': ZIP.replace(b'PK\1\2', b'PK\1\1')},
        IMAGE_FLAGS,
        [NO_ZIP],
    ),
    'name-is-no-utf8': (
        'images',
        'i.zip',
        {'i.zip': raw_zip.raw_zip([Entry(b'cat/\xff.png', PICTURE)])},
        IMAGE_FLAGS,
        [NO_ZIP, 'name a folder or a whole zip'],
    ),
    'duplicate-entries': (
        'images',
        'i.zip',
        {'i.zip': raw_zip.raw_zip([Entry(b'cat/1.png', PICTURE), Entry(b'./cat/1.png', PICTURE)])},
        IMAGE_FLAGS,
        ["duplicate id 'train/cat/1.png' (", 'cat/1.png and ', '; ids must differ: rename one of'],
    ),
    'idx-bomb': (
        'idx',
        'in',
        {f'{IDX_NAME}.gz': gzip.compress(IDX + bytes(1 << 28), 1)},
        IMAGE_FLAGS,
        ['has more than 480 values, its header says (30, 4, 4); fetch it again'],
    ),
    'idx-claims-too-much': (
        'idx',
        'in',
        {IDX_NAME: IDX_HEAD + struct.pack('>III', *[2**32 - 1] * 3) + bytes(99)},
        IMAGE_FLAGS,
        ['has 99 values, its header says (4294967295, 4294967295, 4294967295)'],
    ),
    'idx-empty': ('idx', 'in', {IDX_NAME: b''}, IMAGE_FLAGS, ['begins with , an idx file']),
    'idx-no-pixels': (
        'idx',
        'in',
        {IDX_NAME: IDX_HEAD + struct.pack('>III', 30, 0, 4)},
        IMAGE_FLAGS,
        ['its header says (30, 0, 4)'],
    ),
}  # fmt: skip


@pytest.mark.parametrize(('kind', 'place', 'files', 'flags', 'expected'), JOBS.values(), ids=JOBS)
def test_a_source_that_cannot_be_used(tmp_path, capsys, kind, place, files, flags, expected):
    if kind == 'idx':
        source_data.write_idx(tmp_path / 'in')
        for name in files:
            (tmp_path / name.removesuffix('.gz')).unlink()
    source_data.write_folder(tmp_path, files)
    out = tmp_path / 'out'
    own = flags if flags[:1] == IMAGE_FLAGS[:1] else (*TEXT_FLAGS, *flags)
    message = refusal(capsys, f'--source={kind}:{tmp_path / place}', f'--output={out}', *own)
    for words in expected:
        assert words.replace('{}', str(tmp_path)) in message
    assert not (out / 'records.json').exists()
    with pytest.raises(LonghaulError):
        records.read_info(str(out))


def big_table(folder):
    """More than a small disk holds."""
    rows = [['label', 'text'], *(['ab'[i % 2], f'{i} ' * 2000] for i in range(30))]
    return f'--source=csv:{source_data.write_csv(folder / "t.csv", rows)}'


class FullDisk:
    """A file on a disk that has room for so many bytes more."""

    def __init__(self, file, room):
        self._file, self._room = file, room

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, 'No space left on device')
        return self._file.write(data)

    def close(self):
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


@pytest.mark.parametrize(
    ('module', 'name', 'room'),
    [
        pytest.param(shards, 'tfrecord', 50_000, id='records'),
        pytest.param(writing, 'records.json', 100, id='description'),
        pytest.param(shards, 'tfrecord', 0, marks=pytest.mark.long, id='first-byte'),
        pytest.param(shards, 'index', 0, marks=pytest.mark.long, id='index'),
        pytest.param(writing, 'stats.json', 0, marks=pytest.mark.long, id='stats'),
    ],
)
def test_a_full_disk(tmp_path, capsys, monkeypatch, module, name, room):
    source, out = big_table(tmp_path), tmp_path / 'out'
    create = module.FileSystems.create

    def full(path, *arguments, **settings):
        file = create(path, *arguments, **settings)
        return FullDisk(file, room) if f'{name}.' in path else file

    with monkeypatch.context() as patched:
        patched.setattr(module.FileSystems, 'create', staticmethod(full))
        message = refusal(capsys, source, f'--output={out}', *TEXT_FLAGS)
    check_full(message, out, 'No space left on device')
    assert run_job(source, f'--output={out}', *TEXT_FLAGS) == 0
    assert len(source_data.by_id(out)) == 30


def check_full(message, out, words):
    assert message == (
        f'--output={out}: cannot be written any further ({words}); make room there, or name '
        'another folder, and run the same command again'
    )
    assert not (out / 'records.json').exists()
    with pytest.raises(LonghaulError, match='has not finished'):
        records.read_info(str(out))


def test_files_that_may_not_grow(tmp_path, capsys):
    """By the kernel itself, in place of a disk that can be filled."""
    source, out = big_table(tmp_path), tmp_path / 'out'
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        message = refusal(capsys, source, f'--output={out}', *TEXT_FLAGS)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    check_full(message, out, 'File too large')


def test_duplicates_across_files_of_a_class(tmp_path, capsys):
    """A name that is the same once it is put in order: both places are named."""
    entries = [Entry(b'cat/1.png', PICTURE), Entry(b'cat\\1.png', PICTURE)]
    (tmp_path / 'in.zip').write_bytes(raw_zip.raw_zip(entries))
    flags = (f'--source=images:{tmp_path / "in.zip"}', f'--output={tmp_path / "out"}')
    message = refusal(capsys, *flags, *IMAGE_FLAGS)
    assert sorted(message.partition('(')[2].partition(')')[0].split(' and ')) == [
        'cat/1.png',
        'cat\\1.png',
    ]


def test_a_folder_that_cannot_be_listed(tmp_path, capsys, monkeypatch):
    """Otherwise its files would be missing in silence."""
    from pipelines.job.sources.files import folders

    source = source_data.write_folder(tmp_path / 'in', source_data.picture_files())
    original = folders.os.walk

    def walk(top, onerror):
        onerror(PermissionError(errno.EACCES, 'Permission denied', f'{top}/cat'))
        return original(top)

    monkeypatch.setattr(folders.os, 'walk', walk)
    flags = (f'--source=images:{source}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS)
    assert refusal(capsys, *flags) == (
        f'--source: the folder {source}/cat cannot be listed (Permission denied); make it '
        'readable, or move it away'
    )


@pytest.mark.parametrize('kind', ['csv', 'jsonl', 'texts', 'images'])
def test_a_pipe_is_no_source(tmp_path, capsys, kind):
    """Nobody writes to it: it would be waited for without end."""
    os.mkfifo(tmp_path / 'pipe')
    source = f'--source={kind}:{tmp_path / "pipe"}'
    flags = IMAGE_FLAGS if kind == 'images' else TEXT_FLAGS
    message = refusal(capsys, source, f'--output={tmp_path / "out"}', *flags)
    assert message.startswith(f'{source}: no regular file, and a ')


def test_the_reasons_are_counted_in_stats(tmp_path):
    rows = b'label,text\n' + b'a,x\n' * 20 + b'a\n' * 3 + b'a,\n'
    source_data.write_folder(tmp_path, {'t.csv': rows})
    out = tmp_path / 'out'
    flags = (f'--source=csv:{tmp_path / "t.csv"}', f'--output={out}', *TEXT_FLAGS)
    assert run_job(*flags, '--max_rejected_share=0.5') == 0
    assert json.loads((out / 'stats.json').read_text())['rejected'] == {
        'the row has another number of columns than the table': 3,
        'the text is empty': 1,
    }
