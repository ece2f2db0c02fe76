"""tfds:NAME - a data set of TensorFlow Datasets, which downloads and prepares it if needed.

An image is read as the bytes that the data set stores, and decoded by the decoder of the job. A
text is read as UTF-8. The splits train, validation and test are read; a note names other splits.
The id of an item is SPLIT/NUMBER, by the order in which TFDS has prepared the data. The same
prepared data give the same records, in one file or many, as tfrecord or array_record. Workers read
the prepared data under the same --data_dir as the machine that starts the job.
"""

import dataclasses
import functools
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources.tfds import builders, features, record_files
from pipelines.job.sources.tfds.features import Choice
from pipelines.job.sources.tfds.record_files import RecordsFile
from pipelines.job.text_encoding import check_encoding, text_payload


@dataclasses.dataclass(frozen=True)
class Tfds(Source[int]):
    """Examples of a prepared data set.

    Attributes:
      name: name of the data set in TFDS.
      data_dir: the folder of prepared data; None: the default of TFDS.
      choice: the features that are read.
      kind: 'image' or 'text', that of the choice.
      channels: those of the choice.
      names: of the ClassLabel; None without names.
      encoding: of texts that are not UTF-8 and have no byte order mark; None: these are rejected.
    """

    name: str
    data_dir: str | None
    choice: Choice
    kind: str
    channels: int
    names: tuple[str, ...] | None = None
    encoding: str | None = None

    def groups(self) -> list[Group]:
        """The files of the data set."""
        return [Group(file.name, file.split) for file in self._files().values()]

    def items(self, group: Group) -> Iterator[Item[int]]:
        """Lists examples in the order of the prepared data; ids are SPLIT/NUMBER, from 0."""
        file, label_of = self._files()[group.path], self._label_reader()
        records = record_files.list_records(self._builder(), file)
        for number, (place, record) in enumerate(records, start=file.first):
            label = label_of(record)
            yield Item(f'{group.split}/{number:06}', group.split, label, group.path, place)

    def read(self, group: str, items: Sequence[Item[int]]) -> Iterator[Payload | Rejected]:
        """Reads the stored bytes of images, and texts as UTF-8."""
        data_of = self._reader(self.choice.content)
        places = [item.place for item in items]
        for record in record_files.read_records(self._builder(), self._files()[group], places):
            data = data_of(record)
            if data is None:  # TFDS knows optional features.
                yield Rejected(f'the {self.kind} is missing')
            else:
                yield Payload(data) if self.kind == 'image' else text_payload(data, self.encoding)

    def where(self, item: Item[int]) -> str:
        """'SPLIT: record N'."""
        split, _, number = item.id.partition('/')
        return f'{split}: record {int(number)}'

    def image_size(self) -> int | None:
        """The side of all images, if the feature says one; else None."""
        return self.choice.image_size

    def estimated_items(self) -> int:
        """The number of images. For texts, a number by size: a text is taken to have 300 bytes."""
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
        """A function: serialized example -> the stored value of a feature."""
        import tensorflow_datasets as tfds

        only = tfds.features.FeaturesDict({feature: self._builder().info.features[feature]})
        decoders = {feature: tfds.decode.SkipDecoding()}
        return lambda record: only.deserialize_example_np(record, decoders=decoders)[feature]

    def _label_reader(self) -> Callable[[bytes], str | None]:
        """A function: serialized example -> class name; None for -1, no label in TFDS."""
        if self.choice.label is None:
            return lambda record: None
        number_of, names = self._reader(self.choice.label), self.names or ()

        def label_of(record: bytes) -> str | None:
            number = int(number_of(record))
            if number < 0:
                return None
            return names[number] if number < len(names) else str(number)

        return label_of


@functools.lru_cache(maxsize=4)
def _files_by_name(name: str, data_dir: str | None) -> dict[str, RecordsFile]:
    """The files of all splits. A process lists them once: there may be a thousand."""
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
    """Makes the source. TFDS downloads and prepares the data set unless it is prepared.

    Args:
      name: name of the data set in TFDS, with a config and a version if needed.
      data_dir: folder of prepared data; None: the default of TFDS (TFDS_DATA_DIR, or
        ~/tensorflow_datasets).
      manual_dir: folder of original files that the user has fetched.
      text_column: name of the Text feature to read; None: the only one.
      label_column: name of the ClassLabel feature; None: the only one.
      encoding: of texts that are not UTF-8, see `check_encoding`.

    Raises:
      LonghaulError: for an unknown name, a data set without an image or a text, or one that cannot
        be prepared.
    """
    encoding = check_encoding(encoding)
    data_dir, manual_dir = (
        _folder(flag, path) for flag, path in (('data_dir', data_dir), ('manual_dir', manual_dir))
    )
    if manual_dir is not None and not os.path.isdir(manual_dir):
        raise LonghaulError(f'--manual_dir={manual_dir}: no such folder; put the files there')
    columns = {'text_column': text_column, 'label_column': label_column}
    builder = builders.find_builder(name, data_dir)
    # The features are checked before the download, which may take hours.
    features.choose(name, builder.info, **columns)
    builder = builders.prepare(builder, name, data_dir, manual_dir)
    record_files.check_format(builder, name)
    _check_splits(name, builder.info.splits)
    choice = features.choose(name, builder.info, **columns)
    kind, channels, names = choice.kind, choice.channels, choice.class_names
    return Tfds(name, data_dir, choice, kind, channels, names, encoding)


def _folder(flag: str, path: str | None) -> str | None:
    """The absolute path of a folder: workers may run in another one."""
    if path is None:
        return None
    if '://' in path:
        raise LonghaulError(
            f'--{flag}={path}: data are read as local files; copy them, or mount it (gcsfuse)'
        )
    return os.path.abspath(os.path.expanduser(path))


def _check_splits(name: str, splits: dict[str, Any]) -> None:
    """Refuses a data set without train; prints a note about splits that are not read."""
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
