"""Prepares the output folder and reads the finished description from it.

The job uses Beam's file systems for all that it writes and reads here, with the same credentials.
Only the trainer uses TensorFlow's file systems.
"""

import os
import posixpath
import re

from apache_beam.io.filesystem import FileMetadata
from apache_beam.io.filesystems import FileSystems

from pipelines.format import records
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.records import RecordsInfo

_PROBE = '.writable.partial'


def prepare(folder: str, *, overwrite: bool) -> None:
    """Removes files of earlier runs, and checks that the folder can be written to.

    Args:
      folder: of the records.
      overwrite: whether finished records may be removed.

    Raises:
      LonghaulError: for finished records, or a folder that cannot be written to.
    """
    _require_file_system(folder)
    try:
        finished = posixpath.join(folder, records.FILE_NAME)
        if FileSystems.exists(finished) and not overwrite:
            raise LonghaulError(
                f'--output={folder}: holds finished records; add --overwrite to replace them, or '
                'name another folder'
            )
        _clear(folder)
    except LonghaulError:
        raise
    except Exception as error:
        raise _not_writable('output', folder, error) from error
    require_writable('output', folder)


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
    except ValueError as error:
        scheme = FileSystems.get_scheme(folder)
        how = 'pip install "longhaul[gcp]"' if scheme == 'gs' else 'write to a disk or to gs://'
        raise LonghaulError(
            f'--output={folder}: Beam has no file system for {scheme}:// here; {how}'
        ) from error


def _clear(folder: str) -> None:
    if not FileSystems.exists(folder):
        FileSystems.mkdirs(folder)
    names = _names(folder)
    # These two go first: without them, no half-replaced data set passes for finished.
    for name in (records.FILE_NAME, records.STATS_NAME):
        if name in names:
            _remove(folder, [name])
    # Other files in the folder are not ours, and stay.
    _remove(folder, [name for name in names if records.is_part(name) or name == _PROBE])


def _local(folder: str) -> bool:
    return FileSystems.get_scheme(folder) is None


def _names(folder: str) -> list[str]:
    """The names of files and folders directly in a folder."""
    # Beam would list all folders below as well.
    if _local(folder):
        return os.listdir(folder)
    return list(_listed(folder))


def _listed(folder: str) -> dict[str, FileMetadata]:
    """The files directly in a folder that is not local, by name."""
    found = FileSystems.match([posixpath.join(_literal(folder), '*')])[0].metadata_list
    # An object store has no folders, only names that begin alike.
    named = {file.path.removeprefix(folder.rstrip('/') + '/'): file for file in found}
    return {name: file for name, file in named.items() if '/' not in name}


def _remove(folder: str, names: list[str]) -> None:
    if _local(folder):
        for name in names:
            os.remove(os.path.join(folder, name))
    elif names:
        FileSystems.delete([_literal(posixpath.join(folder, name)) for name in names])


def _literal(path: str) -> str:
    """The pattern that matches one path alone: Beam reads every path as a pattern."""
    return re.sub(r'[*?[]', r'[\g<0>]', path)
