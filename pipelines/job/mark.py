"""The mark of a job: a small file in the output that says which names there are the job's own.

A later job may remove these names and no others: a folder may hold files of other tools that are
named alike. The mark also names the job, so that two jobs in one folder cannot pass for one.
"""

import contextlib
import json
import posixpath
from collections.abc import Iterable
from typing import NamedTuple

from apache_beam.io.filesystems import FileSystems

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from pipelines.job.writing import write_text

FILE_NAME = '.job.json'


class Mark(NamedTuple):
    """`job`: a text that no other job has. `shards`: the names of all shards, without suffixes."""

    job: str
    shards: tuple[str, ...]

    def write(self, folder: str) -> None:
        """Leaves the mark in a folder, in the place of an older one."""
        write_text(posixpath.join(folder, FILE_NAME), json.dumps(self._asdict()) + '\n')


def mark_of(job: str, splits: Iterable[str], shards: int) -> Mark:
    """The mark of a job with so many shards in each of these splits."""
    names = (records.shard_name(split, i, shards) for split in splits for i in range(shards))
    return Mark(job, tuple(names))


def own_names(names: Iterable[str], shards: Iterable[str] | None) -> set[str]:
    """Those among the names of files that belong to jobs.

    Args:
      names: of the files in a folder.
      shards: of jobs that have written there; None: no job is known. Unfinished files with the name
        of a job are a job's in any case.
    """
    known = set() if shards is None else _names_of(shards)
    return {n for n in names if records.finished_name(n) in known or records.names_a_job(n)}


def _names_of(shards: Iterable[str]) -> set[str]:
    """The names of the files of records with these shards."""
    names = [records.FILE_NAME, records.STATS_NAME]
    for shard in shards:
        names += [f'{shard}.tfrecord', f'{shard}.index', f'rejected-{shard}.jsonl']
    return set(names)


def read(folder: str) -> Mark | None:
    """The mark in a folder; None if there is none, or if it is damaged."""
    path = posixpath.join(folder, FILE_NAME)
    if not FileSystems.exists(path):
        return None
    try:
        with FileSystems.open(path) as file:
            found = json.loads(file.read())
        return Mark(str(found['job']), tuple(map(str, found['shards'])))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def refuse_another(folder: str, job: str) -> None:
    """Refuses to finish a file where another job has begun since; a folder may have no mark.

    Raises:
      LonghaulError: if the mark is that of another job.
    """
    found = read(folder)
    if found is not None and found.job != job:
        raise LonghaulError(
            f'--output={folder}: another job has begun to write there, so that the records of '
            'this one may be mixed up; name another folder, or run one job at a time'
        )


def remove_unfinished(folder: str, job: str) -> None:
    """Removes what attempts of a job that were lost have left, as far as that is possible."""
    # File systems raise many kinds of errors, also for a file that is being renamed.
    with contextlib.suppress(Exception):
        found = FileSystems.match([posixpath.join(literal(folder), f'*.{job}.*.partial')])
        if paths := [file.path for file in found[0].metadata_list]:
            FileSystems.delete([literal(path) for path in paths])


def literal(path: str) -> str:
    """The pattern that matches one path alone: Beam reads every path as a pattern."""
    for sign in ('[', '*', '?'):
        path = path.replace(sign, f'[{sign}]')
    return path
