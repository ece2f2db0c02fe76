"""No single item beyond the limit, which is a thousand bytes here."""

import io

import pytest
import raw_zip
import source_data
from apache_beam.io.filesystems import FileSystems
from source_data import refusal, rejected, run_job

from pipelines.job.items import Rejected
from pipelines.job.sources import limits
from pipelines.job.sources.files import paths
from pipelines.job.sources.tables import describing

MOST = 1000
FLAGS = (
    '--auxiliary_steps=5', '--segment_steps=8', '--validation_share=0', '--max_rejected_share=.5',
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(limits, 'MOST_BYTES', MOST)


def test_lines_are_cut_and_counted():
    lines = [b'short\n', b'x' * (MOST - 1) + b'\n', b'y' * MOST + b'\n', b'z' * 5000]
    file = io.BytesIO(b''.join(lines))
    found = [limits.read_line(file) for _ in range(5)]
    assert found[:2] == [(lines[0], 6), (lines[1], MOST)]
    assert [(len(line), size) for line, size in found[2:]] == [(1001, 1001), (1001, 5000), (0, 0)]


def test_the_line_after_a_long_one_is_found():
    file = io.BytesIO(b'z' * 5000 + b'\nnext\n')
    assert limits.read_line(file)[1] == 5001
    assert limits.read_line(file) == (b'next\n', 5)


@pytest.mark.parametrize(('most', 'expected'), [(0, b''), (3, b'abc'), (1 << 90, b'abcde')])
def test_no_more_than_asked_for(most, expected):
    assert limits.read_most(io.BytesIO(b'abcde'), most) == expected


def test_files_that_tables_name(tmp_path):
    (tmp_path / 'a').write_bytes(b'x' * MOST)
    assert paths.read_file(str(tmp_path / 'a')) == b'x' * MOST
    (tmp_path / 'a').write_bytes(b'x' * (MOST + 1))
    with pytest.raises(Rejected) as caught:
        paths.read_file(str(tmp_path / 'a'))
    assert caught.value.reason == 'the file is larger than 1 GiB'


def test_remote_files_that_tables_name(monkeypatch):
    """Nobody asks a store for a size: no more than the limit is read."""
    files = {'gs://b/a': b'x' * MOST, 'gs://b/b': b'x' * 100_000}
    read = []

    class Watched(io.BytesIO):
        def read(self, size=-1):
            read.append(data := super().read(size))
            return data

    monkeypatch.setattr(FileSystems, 'open', lambda path, **_: Watched(files[path]))
    assert paths.read_file('gs://b/a') == files['gs://b/a']
    read.clear()
    with pytest.raises(Rejected) as caught:
        paths.read_file('gs://b/b')
    # One call, which is one request.
    assert [len(data) for data in read] == [MOST + 1]
    assert caught.value.reason == 'the file is larger than 1 GiB'


@pytest.mark.parametrize('name', ['t.jsonl', 't.jsonl.gz'])
def test_lines_of_tables_of_files(tmp_path, name):
    lines = [b'{"path": "a"}', b'{"path": "%s"}' % (b'x' * MOST), b'{"path": "b"}']
    path = source_data.write_packed(tmp_path / name, b'\n'.join(lines))
    first, long, last = describing.read_rows(str(path))
    assert (first, last) == ({'path': 'a'}, {'path': 'b'})
    assert long.reason == 'the line is larger than 1 GiB'


def good(name: int) -> bytes:
    return b'%d' % name * 500


def check(out, reason, place):
    (line,) = rejected(out)
    assert (line['place'], line['reason']) == (place, reason)
    assert sorted(e.length for e in source_data.examples(out)) == [500, 1000]


@pytest.mark.parametrize('zipped', [False, True], ids=['folder', 'zip'])
def test_texts(tmp_path, zipped):
    files = {'a/1': good(1), 'a/2': b'x' * MOST, 'a/3': b'x' * (MOST + 1)}
    write = source_data.write_zip if zipped else source_data.write_folder
    source = write(tmp_path / ('in.zip' if zipped else 'in'), files)
    assert run_job(f'--source=texts:{source}', f'--output={tmp_path / "out"}', *FLAGS) == 0
    check(tmp_path / 'out', 'the file is larger than 1 GiB', 'a/3')


@pytest.mark.parametrize('name', ['t.jsonl', 't.jsonl.gz'])
def test_lines_of_json(tmp_path, monkeypatch, name):
    line = b'{"text":"%s"}'
    lines = [line % good(1), line % (b'x' * MOST), line % (b'x' * (MOST + 2))]
    monkeypatch.setattr(limits, 'MOST_BYTES', len(lines[1]) + 1)  # And its line end.
    path = source_data.write_packed(tmp_path / name, b'\n'.join(lines))
    assert run_job(f'--source=jsonl:{path}', f'--output={tmp_path / "out"}', *FLAGS) == 0
    check(tmp_path / 'out', 'the line is larger than 1 GiB', 'object 2')


@pytest.mark.parametrize(
    ('row', 'expected'),
    [
        (b'"' + b'x' * 1001 + b'"', 'a line is larger than 1 GiB'),
        (b'"' + b'x\n' * 501 + b'"', 'field larger than field limit (1000)'),
    ],
    ids=['line', 'cell'],
)
def test_a_table_is_refused_as_a_whole(tmp_path, capsys, row, expected):
    """Behind such a cell nobody knows where rows begin."""
    path = source_data.write_packed(tmp_path / 't.csv', b'text\na\n' + row + b'\nb\n')
    message = refusal(capsys, f'--source=csv:{path}', f'--output={tmp_path / "out"}', *FLAGS)
    assert message == (
        f'--source: {path} cannot be read ({expected}); mend the file, or name another one'
    )


def test_an_entry_that_hides_its_size_is_not_unpacked(tmp_path, monkeypatch):
    """Asked of zlib itself: it never hands out more than the entry says to have."""
    import zipfile

    handed = []
    original = zipfile.ZipExtFile._read1

    def watched(self, n):
        data = original(self, n)
        handed.append(len(data))
        return data

    monkeypatch.setattr(zipfile.ZipExtFile, '_read1', watched)
    entry = raw_zip.Entry(b'a/bomb', packed=raw_zip.zeros(1), size=500)
    good_entry = raw_zip.Entry(b'a/1', good(1))
    (tmp_path / 'in.zip').write_bytes(raw_zip.raw_zip([entry, good_entry]))
    flags = (f'--source=texts:{tmp_path / "in.zip"}', f'--output={tmp_path / "out"}', *FLAGS)
    assert run_job(*flags) == 0
    (line,) = rejected(tmp_path / 'out')
    assert line['reason'] == 'the file cannot be read'
    assert handed
    assert max(handed) <= MOST
