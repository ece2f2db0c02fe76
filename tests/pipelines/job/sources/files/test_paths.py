"""What a written path means, and which errors are verdicts about a file."""

import io

import pytest
from apache_beam.io.filesystems import FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Rejected
from pipelines.job.sources.files import paths


@pytest.mark.parametrize(
    ('written', 'folder', 'path', 'name'),
    [
        ('a/b.png', '/in', '/in/a/b.png', 'a/b.png'),
        ('a/../b.png', '/in', '/in/a/../b.png', 'b.png'),
        ('../b.png', '/in', '/in/../b.png', None),
        ('/in/a.png', '/in', '/in/a.png', 'a.png'),
        ('/in2/a.png', '/in', '/in2/a.png', None),
        ('/a.png', '/', '/a.png', 'a.png'),
        ('gs://b/in/a.png', '/in', 'gs://b/in/a.png', None),
        ('gs://b/in/a.png', 'gs://b/in', 'gs://b/in/a.png', 'a.png'),
        ('gs://b/in2/a.png', 'gs://b/in', 'gs://b/in2/a.png', None),
        ('a/./b.png', 'gs://b/in', 'gs://b/in/a/b.png', 'a/b.png'),
        ('../a.png', 'gs://b/in', 'gs://b/a.png', None),
        ('a.png', 'gs://b', 'gs://b/a.png', 'a.png'),
        ('/local/a.png', 'gs://b/in', '/local/a.png', None),
    ],
)
def test_paths_are_found_by_their_text(written, folder, path, name):
    assert paths.locate(written, folder) == (path, name)


def test_a_path_relative_to_the_folder_that_the_job_runs_in(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert paths.locate('a.png', '') == ('a.png', 'a.png')
    assert paths.locate(f'{tmp_path}/in/a.png', 'in').name == 'a.png'


@pytest.mark.parametrize('written', ['../../a.png', '../..', '../../b2/a.png'])
def test_no_relative_path_leaves_its_bucket(written):
    with pytest.raises(Rejected, match='the path leaves its bucket'):
        paths.locate(written, 'gs://b/in')


class RemoteError(Exception):
    """As the libraries of the stores raise it."""

    def __init__(self, code):
        super().__init__(f'HTTP {code}')
        self.code = code


class Broken(io.BytesIO):
    """A file whose connection is lost while it is read."""

    def read(self, *_):
        raise ConnectionResetError('connection lost')


def remote_reads(monkeypatch, answer):
    def opened(path, **_):
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(FileSystems, 'open', opened)
    return paths.read_file('gs://bucket/a.png')


@pytest.mark.parametrize(
    ('error', 'reason'),
    [
        (RemoteError(404), 'no such file'),
        (FileNotFoundError('none'), 'no such file'),
        (RemoteError(403), 'the file may not be read'),
        (NotImplementedError('Doubly compressed'), 'the file cannot be read'),
    ],
    ids=repr,
)
def test_verdicts_about_a_remote_file(monkeypatch, error, reason):
    with pytest.raises(Rejected) as caught:
        remote_reads(monkeypatch, error)
    assert caught.value.reason == reason


@pytest.mark.parametrize(
    'answer', [RemoteError(503), TimeoutError('slow'), Broken()], ids=['503', 'timeout', 'broken']
)
def test_an_outage_is_no_verdict(monkeypatch, answer):
    """Items must not be missing from the records because a store was down for a minute."""
    with pytest.raises(LonghaulError, match='^gs://bucket/a.png cannot be read .*run the job aga'):
        remote_reads(monkeypatch, answer)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    (tmp_path / 'a').write_bytes(b'a')
    assert paths.read_file(str(tmp_path / 'a')) == b'a'
    # root may read everything.
    monkeypatch.setattr('os.stat', lambda *_, **__: (_ for _ in ()).throw(PermissionError(13, '')))
    with pytest.raises(Rejected, match='the file may not be read'):
        paths.read_file(str(tmp_path / 'a'))
