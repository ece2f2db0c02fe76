"""`records.json`: what a folder holds. Written last: a folder without it is unfinished."""

import dataclasses
import hashlib
import json
import posixpath
import re
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec

FORMAT_VERSION = 1
FILE_NAME, STATS_NAME = 'records.json', 'stats.json'
SPLITS = ('train', 'validation', 'test')
_SHARD = rf'({"|".join(SPLITS)})-\d+-of-\d+'
_PART = re.compile(rf'{_SHARD}\.(tfrecord|index)|rejected-{_SHARD}\.jsonl')


@dataclasses.dataclass(frozen=True)
class RecordsInfo:
    """Everything about a data set but its examples.

    Attributes:
      spec: what a step is.
      segment_steps: steps of a stored segment.
      auxiliary_steps: L of the stored anchors.
      anchors_per_sequence: K of the stored anchors.
      anchor_sets: E, how many sets are stored.
      seed: of the stored anchors and of the splits.
      class_names: by label.
      shards: by split, a list of {'name', 'examples', 'bytes', 'sha256', 'index_sha256'}.
      counts: 'splits': examples by split; 'classes': by split, examples by class name ('' for
        those without a label); 'steps': steps by split; 'rejected': items that could not be used;
        with a vocabulary, 'vocabulary': its 'characters', and 'unknown' steps by split.
      lengths: by split, histogram of lengths: upper bound (a power of two) -> examples.
      options: the job's options that decide about the content.
      versions: of the libraries that decide about the content.
      files: sha256 of the files beside the shards (stats.json, rejected-*.jsonl), by name.
      sha256: of all the rest of this description, see `content_sha256`; '' in records of before.
      format_version: of this layout.
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
        """What `sha256` is to be."""
        text = dataclasses.replace(self, sha256='').to_json()
        return hashlib.sha256(text.encode()).hexdigest()

    def to_json(self) -> str:
        """Text of the file: the same for the same content."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        values['spec'] = self.spec.to_json()
        return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False) + '\n'


def shard_name(split: str, shard: int, shards: int) -> str:
    """'train-00000-of-00016', without suffix."""
    return f'{split}-{shard:05}-of-{shards:05}'


def is_part(name: str) -> bool:
    """Whether a file is named as a part of a data set, or as one that is not finished.

    Not records.json and stats.json themselves: these two are looked for by their names.
    """
    whole = name.removesuffix('.partial')
    unfinished = whole != name and whole in (FILE_NAME, STATS_NAME)
    return unfinished or _PART.fullmatch(whole) is not None


def read_info(folder: str) -> RecordsInfo:
    """Reads a data set's description.

    Args:
      folder: any path that tf.io.gfile understands.

    Raises:
      LonghaulError: if the folder is missing, unfinished, damaged or of another format version.
    """
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
    with tf.io.gfile.GFile(path, 'rb') as file:
        return parse_info(file.read(), path)


def parse_info(text: str | bytes, path: str) -> RecordsInfo:
    """The content of `records.json`; `path` is named in refusals.

    Raises:
      LonghaulError: if it is damaged or of another format version.
    """
    damaged = 'run python -m pipelines.main again with --overwrite'
    try:
        values = json.loads(text)
        version = values['format_version']
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LonghaulError(f'{path}: damaged ({error}); {damaged}') from error
    if version != FORMAT_VERSION:
        raise LonghaulError(
            f'{path}: format version {version}, this trainer reads version {FORMAT_VERSION}; write '
            'the records again with this version of pipelines.main, or use the matching trainer'
        )
    try:
        values['spec'] = SequenceSpec.from_json(values['spec'])
        values['class_names'] = tuple(values['class_names'])
        return RecordsInfo(**values)
    except LonghaulError as error:
        raise LonghaulError(f'{path}: {error}') from error
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise LonghaulError(f'{path}: damaged ({error}); {damaged}') from error
