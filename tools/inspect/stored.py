"""Examples of finished records, read by id or by number."""

import dataclasses
import difflib
import math
import os
import posixpath

import numpy as np
import tensorflow as tf

from pipelines.format import anchors, records, segments
from pipelines.format.errors import LonghaulError
from pipelines.format.index import RecordReader
from pipelines.format.records import RecordsInfo
from pipelines.format.scales import read_stats

# Ids that are compared with one that was not found.
_NEAR = 2000


@dataclasses.dataclass(frozen=True)
class Stored:
    """One example.

    `values`: [T] for text, [T, C] for all else. `anchors`: by name, int64 [E, K], in steps.
    """

    split: str
    id: str
    label: int
    values: np.ndarray
    anchors: dict[str, np.ndarray]

    @property
    def steps(self) -> int:
        """The number of steps, T."""
        return len(self.values)

    def segment_starts(self, segment_steps: int) -> list[int]:
        """The first step of each stored segment; they are cut from the end."""
        first = (self.steps - 1) % segment_steps + 1
        return [0, *range(first, self.steps, segment_steps)]


class Records:
    """A folder of records.

    Attributes:
      info: its description.
      folder: its path.
      name: of the data set, that of the folder.
      stats: what the job's stats.json says; {} without one.
    """

    def __init__(self, folder: str) -> None:
        """Reads the description and the indexes.

        Raises:
          LonghaulError: if there are no finished records, or their stats.json is damaged.
        """
        self.folder, self.info = folder, records.read_info(folder)
        self.name = posixpath.basename(
            (folder if '://' in folder else os.path.abspath(folder)).rstrip('/')
        )
        self.stats = read_stats(folder, self.info) or {}
        self.readers = {
            s: RecordReader(folder, s, self.info) for s in records.SPLITS if s in self.info.shards
        }

    @property
    def side(self) -> int:
        """Pixels along one edge of each image, which is square; 0 for all else."""
        return self.info.spec.image_size or 0

    def class_name(self, example: Stored) -> str:
        """The class of an example by name; 'none' without a label."""
        return self.info.class_names[example.label] if example.label >= 0 else 'none'

    def auxiliary_steps(self, example: Stored) -> int:
        """How many steps the stored stretches of an example span, L."""
        fixed = self.info.spec.fixed_length is not None
        lengths = np.array([example.steps])
        found = anchors.auxiliary_length(lengths, self.info.auxiliary_steps, fixed_length=fixed)
        return int(found[0])

    def read(self, split: str, number: int) -> Stored:
        """Reads example `number` of a split's index."""
        return _parse(self.readers[split].read(number), split, self.info)

    def find(self, example_id: str | None) -> Stored:
        """Finds an example by its id, in any split; without an id, the first one there is.

        Raises:
          LonghaulError: if no example has this id; the text names the nearest ids.
        """
        if example_id is None:
            split = next(s for s, reader in self.readers.items() if len(reader))
            return self.read(split, 0)
        for split in self.readers:
            if found := self.find_in(split, example_id):
                return found
        near = difflib.get_close_matches(example_id, self._some_ids(), n=3, cutoff=0)
        raise LonghaulError(
            f'--id={example_id}: {self.folder} has no such example; for example {", ".join(near)}'
        )

    def find_in(self, split: str, example_id: str) -> Stored | None:
        """The example of an id in one split; None if there is none."""
        shown = _shown(example_id.encode('utf-8', 'surrogateescape'))
        hashes = self.readers[split].entries['id_hash']
        for number in np.flatnonzero(hashes == anchors.id_hash(example_id)):
            example = self.read(split, int(number))
            if example.id == shown:
                return example
        return None

    def _some_ids(self) -> list[str]:
        found = []
        for split, reader in self.readers.items():
            count = min(len(reader), _NEAR // len(self.readers))
            found += [self.read(split, number).id for number in range(count)]
        return found

    def spread(
        self, count: int, *, split: str | None = None, most_steps: float = math.inf
    ) -> list[Stored]:
        """Reads some examples of at most `most_steps` steps, evenly spaced in a split's index.

        Args:
          count: how many, if there are so many.
          split: None: the first one that has any.
          most_steps: of an example.
        """
        split = split or next(s for s, reader in self.readers.items() if len(reader))
        short = np.flatnonzero(self.readers[split].entries['length'] <= most_steps)
        places = np.unique(np.linspace(0, len(short) - 1, min(count, len(short))).astype(int))
        return [self.read(split, int(short[i])) for i in places]


def _shown(example_id: bytes) -> str:
    """An id as text; names of files may hold bytes that are no UTF-8."""
    return example_id.decode('utf-8', 'backslashreplace')


def _parse(payload: bytes, split: str, info: RecordsInfo) -> Stored:
    features = tf.train.Example.FromString(payload).features.feature
    spec = info.spec
    shape = (info.anchor_sets, info.anchors_per_sequence)
    return Stored(
        split=split,
        id=_shown(features['id'].bytes_list.value[0]),
        label=features['label'].int64_list.value[0],
        values=segments.join(
            list(features['segments'].bytes_list.value),
            dtype=spec.dtype,
            channels=None if spec.kind == 'text' else spec.channels,
        ),
        anchors={
            name: np.array(features[name].int64_list.value).reshape(shape)
            for name in anchors.AnchorSets._fields
        },
    )
