"""Prepares the output folder and reads the finished description from it.

The job uses Beam's file systems for all that it writes and reads here, with the same credentials.
Only the trainer uses TensorFlow's file systems.
"""

import contextlib
import functools
import json
import os
import posixpath
import sys
from collections.abc import Iterator

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems

from pipelines import lock
from pipelines.format import records
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.records import RecordsInfo
from pipelines.job import mark as marks
from pipelines.job.mark import Mark

_PROBE = '.writable.partial'


@contextlib.contextmanager
def held(folder: str) -> Iterator[None]:
    """Makes the folder of the records, and locks it against other jobs of this machine.

    A folder that is not local has no lock: there a job finds out by the mark, before it gives a
    file its name.

    Args:
      folder: of the records.

    Raises:
      LonghaulError: if another job holds the folder, or the folder cannot be made or written to.
    """
    _require_file_system(folder)
    if not _local(folder):
        yield
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise _not_writable('output', folder, error) from error
    say = functools.partial(print, file=sys.stderr)
    with lock.held(folder, flag='--output', doing='writes records there', say=say):
        yield


def prepare(folder: str, mark: Mark, *, overwrite: bool) -> None:
    """Removes files of earlier jobs, and leaves the mark of a new one.

    Args:
      folder: of the records, see `held`.
      mark: of the new job, see `marks.mark_of`.
      overwrite: whether finished records may be removed.

    Raises:
      LonghaulError: for finished records, for files of the same names that no job has marked as its
        own, or for a folder that cannot be written to.
    """
    try:
        if not _local(folder) and not FileSystems.exists(folder):
            FileSystems.mkdirs(folder)
        names = names_in(folder)
        shards = _own_shards(folder)
        own = marks.own_names(names, shards)
        if not _local(folder) and records.FILE_NAME not in own:
            _say_unfinished(folder)
        _refuse_others(folder, names, own)
        if records.FILE_NAME in own and not overwrite:
            raise LonghaulError(
                f'--output={folder}: holds finished records; add --overwrite to replace them, or '
                'name another folder'
            )
        if own:
            # If this job is killed while it removes them, the next one knows the rest by this mark.
            mark._replace(shards=(*mark.shards, *(shards or ()))).write(folder)
            _clear(folder, own)
        mark.write(folder)
    except LonghaulError:
        raise
    except Exception as error:
        raise _not_writable('output', folder, error) from error


def _say_unfinished(folder: str) -> None:
    """Says that another job has not finished, which may be dead or at work."""
    found = marks.read(folder)
    if found is not None:
        print(
            f'note: {folder}: the job {found.job} has begun to write there and has not finished; '
            'this one replaces it. If it is still at work, it will end with a refusal',
            file=sys.stderr,
        )


def _own_shards(folder: str) -> list[str] | None:
    """The shards of earlier jobs, by their mark and by their records; None if no job was there."""
    found = marks.read(folder)
    marked = None if found is None else [*found.shards]
    path = posixpath.join(folder, records.FILE_NAME)
    if not FileSystems.exists(path):
        return marked
    with FileSystems.open(path) as file:
        described = _shards(file.read())
    return marked if described is None else [*(marked or ()), *described]


def _shards(description: bytes) -> list[str] | None:
    """The shards of records of any format version; None if these are no records of this job."""
    try:
        values = json.loads(description)
        if not isinstance(values['format_version'], int):
            return None
        return [str(shard['name']) for shards in values['shards'].values() for shard in shards]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _refuse_others(folder: str, names: list[str], own: set[str]) -> None:
    kept = (records.FILE_NAME, records.STATS_NAME)
    others = sorted(n for n in names if n not in own and (n in kept or records.is_part(n)))
    if others:
        shown = ', '.join(others[:3]) + (f' and {len(others) - 3} more' if others[3:] else '')
        raise LonghaulError(
            f'--output={folder}: holds {shown}, and nothing there says that this job has written '
            'it, so it stays; name another folder, or move such files away'
        )


def require_writable(flag: str, folder: str) -> None:
    """Checks that a folder can be written to: writes an empty file and removes it.

    Args:
      flag: name of the flag that names the folder.
      folder: the folder.

    Raises:
      LonghaulError: if the folder cannot be written to.
    """
    try:
        FileSystems.create(posixpath.join(folder, _PROBE)).close()
        _remove(folder, [_PROBE])
    except Exception as error:
        raise _not_writable(flag, folder, error) from error


def _not_writable(flag: str, folder: str, error: Exception) -> LonghaulError:
    return LonghaulError(
        f'--{flag}={folder}: cannot be written to ({first_line(error)}); name a folder that you '
        'may write to'
    )


def read_info(folder: str) -> RecordsInfo:
    """Reads the description that the finished job has written.

    Raises:
      LonghaulError: if this machine does not see the file.
    """
    path = posixpath.join(folder, records.FILE_NAME)
    if not FileSystems.exists(path):
        raise LonghaulError(
            f'--output={folder}: the job has ended, and this machine sees no {records.FILE_NAME} '
            'there; name a folder that all workers and this machine share, such as gs://BUCKET/NAME'
        )
    with FileSystems.open(path) as file:
        return records.parse_info(file.read(), path)


def sizes(folder: str) -> dict[str, int]:
    """The bytes of each file directly in a folder, by name.

    Raises:
      Exception: an error of the file system, if the folder cannot be listed.
    """
    if _local(folder):
        return {e.name: e.stat().st_size for e in os.scandir(folder) if e.is_file()}
    return {name: file.size_in_bytes for name, file in _listed(folder).items()}


def _require_file_system(folder: str) -> None:
    try:
        FileSystems.get_filesystem(folder)
    except Exception as error:
        # File systems raise many kinds of errors.
        scheme = FileSystems.get_scheme(folder)
        how = 'pip install "longhaul[gcp]"' if scheme == 'gs' else 'write to a disk or to gs://'
        raise LonghaulError(
            f'--output={folder}: Beam has no file system for {scheme}:// here; {how}'
        ) from error


def _clear(folder: str, own: set[str]) -> None:
    # These two go first: without them, no half-replaced data set passes for finished.
    first = [name for name in (records.FILE_NAME, records.STATS_NAME) if name in own]
    for name in first:
        _remove(folder, [name])
    _remove(folder, sorted(own.difference(first)))


def _local(folder: str) -> bool:
    return FileSystems.get_scheme(folder) is None


def names_in(folder: str) -> list[str]:
    """The names of files and folders directly in a folder, local or not."""
    # Beam would list all folders below as well.
    if _local(folder):
        return os.listdir(folder)
    return list(_listed(folder))


def _listed(folder: str) -> dict[str, FileMetadata]:
    """The files directly in a folder that is not local, by name."""
    found = FileSystems.match([posixpath.join(marks.literal(folder), '*')])[0].metadata_list
    # An object store has no folders, only names that begin alike.
    named = {file.path.removeprefix(folder.rstrip('/') + '/'): file for file in found}
    return {name: file for name, file in named.items() if '/' not in name}


def _remove(folder: str, names: list[str]) -> None:
    if _local(folder):
        for name in names:
            os.remove(os.path.join(folder, name))
    elif names:
        FileSystems.delete([marks.literal(posixpath.join(folder, name)) for name in names])
