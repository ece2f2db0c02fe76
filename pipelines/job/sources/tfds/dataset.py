"""tfds:NAME - a data set of TensorFlow Datasets, downloaded and prepared by it if need be.

Images are handed over as the bytes that the data set stores, so that the decoder of the product
decodes them, and texts as UTF-8. The data set's own splits train, validation and test are
taken; others are named in a note and left out. Its records have the order that TFDS gave them when
it prepared them: an item is SPLIT/NUMBER in it, and the same prepared data give the same bytes, in
one file or many, as tfrecord or array_record. Workers read the prepared data under the same
--data_dir as the machine that starts the job.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group, Item, Payload, Rejected
from pipelines.job.sources.tfds import builders, features, record_files
from pipelines.job.sources.tfds.features import Choice
from pipelines.job.sources.tfds.record_files import RecordsFile
from pipelines.job.text_encoding import check_encoding, text_payload


@dataclasses.dataclass(frozen=True)
class Tfds:
    """Examples of a prepared data set.

    Attributes:
      name: as TFDS knows it.
      data_dir: where TFDS keeps its data; None: TFDS's own default.
      choice: what is read of an example.
      encoding: of texts that are no UTF-8 and have no byte order mark; None: there are none.
    """

    name: str
    data_dir: str | None
    choice: Choice
    encoding: str | None = None

    @property
    def kind(self) -> str:
        """'image' or 'text'."""
        return self.choice.kind

    @property
    def channels(self) -> int:
        """1 for images of one channel, else 3; 1 for text."""
        return self.choice.channels

    def groups(self) -> list[Group]:
        """The files of records."""
        return [Group(file.name, file.split) for file in self._files().values()]

    def items(self, group: Group) -> Iterator[Item[int]]:
        """Records in order; ids are SPLIT/NUMBER, from 0, in the order of the prepared data."""
        file, label_of = self._files()[group.path], self._label_reader()
        records = record_files.list_records(self._builder(), file)
        for number, (place, record) in enumerate(records, start=file.first):
            label = label_of(record)
            yield Item(f'{group.split}/{number:06}', group.split, label, group.path, place)

    def read(self, group: str, items: Sequence[Item[int]]) -> Iterator[Payload | Rejected]:
        """The stored bytes of images, and texts as UTF-8."""
        data_of = self._reader(self.choice.content)
        places = [item.place for item in items]
        for record in record_files.read_records(self._builder(), self._files()[group], places):
            data = data_of(record)
            if data is None:  # TFDS knows optional features.
                yield Rejected(f'the {self.kind} is missing')
            else:
                yield Payload(data) if self.kind == 'image' else text_payload(data, self.encoding)

    def where(self, item: Item[int]) -> str:
        """SPLIT: record N."""
        split, _, number = item.id.partition('/')
        return f'{split}: record {int(number)}'

    def class_names(self) -> tuple[str, ...] | None:
        """Those of the ClassLabel."""
        return self.choice.class_names

    def image_size(self) -> int | None:
        """The side that all images have by their feature."""
        return self.choice.image_size

    def estimated_items(self) -> int:
        """The number of images; texts by size, in documents of the usual three hundred bytes."""
        splits = self._builder().info.splits
        infos = [splits[split] for split in SPLITS if split in splits]
        if self.kind == 'image':
            return sum(info.num_examples for info in infos)
        return sum(int(info.num_bytes) for info in infos) // 300 + 1

    def _builder(self) -> Any:
        return builders.open_prepared(self.name, self.data_dir)

    def _files(self) -> dict[str, RecordsFile]:
        return _files_by_name(self.name, self.data_dir)

    def _reader(self, feature: str) -> Callable[[bytes], Any]:
        """Serialized example -> one of its values, as it is stored."""
        import tensorflow_datasets as tfds

        only = tfds.features.FeaturesDict({feature: self._builder().info.features[feature]})
        decoders = {feature: tfds.decode.SkipDecoding()}
        return lambda record: only.deserialize_example_np(record, decoders=decoders)[feature]

    def _label_reader(self) -> Callable[[bytes], str | None]:
        """Serialized example -> class name; None for -1, TFDS's own mark of no label."""
        if self.choice.label is None:
            return lambda record: None
        number_of, names = self._reader(self.choice.label), self.choice.class_names or ()

        def label_of(record: bytes) -> str | None:
            number = int(number_of(record))
            if number < 0:
                return None
            return names[number] if number < len(names) else str(number)

        return label_of


@functools.lru_cache(maxsize=4)
def _files_by_name(name: str, data_dir: str | None) -> dict[str, RecordsFile]:
    """Once for all shards of a process: there may be a thousand files."""
    builder = builders.open_prepared(name, data_dir)
    splits = [split for split in SPLITS if split in builder.info.splits]
    return {file.name: file for split in splits for file in record_files.list_files(builder, split)}


def make_tfds(
    name: str,
    *,
    data_dir: str | None = None,
    manual_dir: str | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str | None = None,
) -> Tfds:
    """Finds a data set, and has it downloaded and prepared unless it is.

    Args:
      name: as TFDS knows it, with config and version if need be.
      data_dir: where TFDS keeps its data; None: its own default (TFDS_DATA_DIR, or
        ~/tensorflow_datasets).
      manual_dir: folder of original files that the user has fetched.
      text_column: the Text to read; None: the only one.
      label_column: the ClassLabel; None: the only one.
      encoding: of texts that are not UTF-8, see `check_encoding`.

    Raises:
      LonghaulError: for an unknown name, a data set without an image or a text to be found, or one
        that cannot be prepared.
    """
    encoding = check_encoding(encoding)
    data_dir, manual_dir = (
        _folder(flag, path) for flag, path in (('data_dir', data_dir), ('manual_dir', manual_dir))
    )
    if manual_dir is not None and not os.path.isdir(manual_dir):
        raise LonghaulError(f'--manual_dir={manual_dir}: no such folder; put the files there')
    columns = {'text_column': text_column, 'label_column': label_column}
    builder = builders.find_builder(name, data_dir)
    # Before a download of hours.
    features.choose(name, builder.info, **columns)
    builder = builders.prepare(builder, name, data_dir, manual_dir)
    record_files.check_format(builder, name)
    _check_splits(name, builder.info.splits)
    return Tfds(name, data_dir, features.choose(name, builder.info, **columns), encoding)


def _folder(flag: str, path: str | None) -> str | None:
    """Absolute, since workers may run elsewhere."""
    if path is None:
        return None
    if '://' in path:
        raise LonghaulError(
            f'--{flag}={path}: data are read as local files; copy them, or mount it (gcsfuse)'
        )
    return os.path.abspath(os.path.expanduser(path))


def _check_splits(name: str, splits: dict[str, Any]) -> None:
    """Refuses a data set without anything to train on; says what is left out."""
    if 'train' not in splits:
        raise LonghaulError(
            f'--source=tfds:{name}: has no split train, only: {", ".join(sorted(splits))}; name '
            'another data set'
        )
    left = [f'{k} ({v.num_examples:,} examples)' for k, v in splits.items() if k not in SPLITS]
    if left:
        print(
            f'note: tfds:{name}: {", ".join(SPLITS)} are read; left out: {", ".join(left)}',
            file=sys.stderr,
        )
