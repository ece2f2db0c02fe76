"""`records.json`, the description of a data set.

The job writes the file last of all: a folder without it is unfinished.
"""

import dataclasses
import hashlib
import json
import posixpath
import re
import secrets
from typing import Any

from pipelines.format import schema
from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.spec import SequenceSpec
from pipelines.format.unreadable import refuses_unreadable

FORMAT_VERSION = 1
FILE_NAME, STATS_NAME = 'records.json', 'stats.json'
SPLITS = ('train', 'validation', 'test')
_SHARD = rf'({"|".join(SPLITS)})-\d+-of-\d+'
_UNFINISHED = re.compile(r'(\.[0-9a-f]{16}(\.[0-9a-f]{8})?)?\.partial$')
_PART = re.compile(rf'{_SHARD}\.(tfrecord|index)|rejected-{_SHARD}\.jsonl')


@dataclasses.dataclass(frozen=True)
class RecordsInfo:
    """Everything about a data set but its examples.

    Attributes:
      spec: what a step of a sequence is.
      segment_steps: steps in a stored segment.
      auxiliary_steps: L, the steps that an auxiliary loss spans.
      anchors_per_sequence: K, the anchors in a set.
      anchor_sets: E, the sets of anchors that are stored.
      seed: the seed of the stored anchors and of the splits.
      class_names: the name of each class; the label is its place.
      shards: by split, a list of {'name', 'examples', 'bytes', 'sha256', 'index_sha256'}.
      counts: numbers of the data set. 'splits': examples by split; 'classes': by split, examples by
        class name ('' for those without a label); 'steps': steps by split; 'rejected': items that
        could not be used; with a vocabulary, 'vocabulary': its 'characters', and 'unknown' steps by
        split.
      lengths: by split, a histogram: an upper bound of the length (a power of two) -> examples.
      options: the job's options that decide about the content.
      versions: versions of the libraries that decide about the content.
      files: sha256 of the files beside the shards (stats.json, rejected-*.jsonl), by name.
      sha256: the hash of all other fields, see `content_sha256`; '' in records of an older job.
      format_version: the version of the layout of this file and of the records.
    """

    spec: SequenceSpec
    segment_steps: int
    auxiliary_steps: int
    anchors_per_sequence: int
    anchor_sets: int
    seed: int
    class_names: tuple[str, ...]
    shards: dict[str, list[dict[str, Any]]]
    counts: dict[str, Any]
    lengths: dict[str, dict[str, int]]
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    files: dict[str, str] = dataclasses.field(default_factory=dict)
    sha256: str = ''
    format_version: int = FORMAT_VERSION

    def content_sha256(self) -> str:
        """The hash of all fields but `sha256` itself, in hex."""
        text = dataclasses.replace(self, sha256='').to_json()
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """The text of the file. The same content gives the same text."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values['spec'] = self.spec.to_json()
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + '\n'


def shard_name(split: str, shard: int, shards: int) -> str:
    """The name of a shard without its suffix, such as 'train-00000-of-00016'."""
    return f'{split}-{shard:05}-of-{shards:05}'


def unfinished_name(name: str, job: str) -> str:
    """The name that a file has until a job has finished it: NAME.JOB.ATTEMPT.partial.

    A runner may try a step again while the worker of an earlier attempt is still at work: no two
    attempts write into one file.
    """
    return f'{name}.{job}.{secrets.token_hex(4)}.partial' if job else f'{name}.partial'


def finished_name(name: str) -> str:
    """The name that an unfinished file will have; a finished one has it."""
    return _UNFINISHED.sub('', name)


def names_a_job(name: str) -> bool:
    """Whether a file is a part that a job has not finished, and that has the name of the job."""
    found = _UNFINISHED.search(name)
    return found is not None and found[1] is not None and is_part(name)


def is_part(name: str) -> bool:
    """Whether a file has the name of a shard, an index or a list of rejected items.

    Unfinished files (.partial) count too, those of records.json and stats.json included. The
    finished records.json and stats.json do not count.
    """
    whole = finished_name(name)
    unfinished = whole != name and whole in (FILE_NAME, STATS_NAME)
    return unfinished or _PART.fullmatch(whole) is not None


def read_info(folder: str) -> RecordsInfo:
    """Reads a data set's description.

    Args:
      folder: any path that tf.io.gfile understands.

    Raises:
      LonghaulError: if the folder is missing, unfinished, unreadable, damaged or of another format
        version.
    """
    # The job takes seconds less without TensorFlow, and reads no records.
    import tensorflow as tf

    path = posixpath.join(folder, FILE_NAME)
    if not tf.io.gfile.isdir(folder):
        raise LonghaulError(
            f'{folder}: no such folder of records; make one with python -m pipelines.main '
            f'--output={folder}'
        )
    if not tf.io.gfile.exists(path):
        raise LonghaulError(
            f'{folder}: holds no {FILE_NAME}, so the job that fills it has not finished; run '
            'python -m pipelines.main again'
        )
    with refuses_unreadable(path), tf.io.gfile.GFile(path, 'rb') as file:
        text = file.read()
    return parse_info(text, path)


def parse_info(text: str | bytes, path: str) -> RecordsInfo:
    """Parses the content of `records.json`.

    Args:
      text: the content.
      path: of the file, for refusals.

    Raises:
      LonghaulError: if it is damaged or of another format version.
    """
    damaged = 'run python -m pipelines.main again with --overwrite'
    try:
        values = json.loads(text)
        version = values['format_version']
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LonghaulError(f'{path}: damaged ({first_line(error)}); {damaged}') from error
    if version != FORMAT_VERSION:
        raise LonghaulError(
            f'{path}: format version {version}, this trainer reads version {FORMAT_VERSION}; write '
            'the records again with this version of pipelines.main, or use the matching trainer'
        )
    fault = schema.fault_of(values)
    if fault is not None:
        raise LonghaulError(f'{path}: damaged ({fault}); {damaged}')
    try:
        values['spec'] = SequenceSpec.from_json(values['spec'])
        values['class_names'] = tuple(values['class_names'])
        return RecordsInfo(**values)
    except LonghaulError as error:
        raise LonghaulError(f'{path}: {error}') from error
    except (KeyError, ValueError, TypeError, AttributeError, OverflowError) as error:
        raise LonghaulError(f'{path}: damaged ({first_line(error)}); {damaged}') from error
