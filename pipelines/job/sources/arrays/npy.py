"""npy:DIR - sequences of numbers: .npy files of shape [T, C] or [T], anywhere below a folder.

labels.csv (columns file and label, perhaps split) or labels.jsonl in the folder labels them, by
their paths below it. Arrays that it does not name have no label; without it none has. Without a
column of splits, folders train/, validation/ and test/ are the splits, if there is a train/.

uint8 is stored as uint8; float16, float32 and float64 as float16. The first array in the order of
names whose header is sound decides about channels and type; others are rejected.
"""

import dataclasses
import io
import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group, Item, Payload, Rejected
from pipelines.job.sources.arrays.header import Header, read_header
from pipelines.job.sources.arrays.labels import Entry, read_labels
from pipelines.job.sources.arrays.values import check_floats
from pipelines.job.sources.files.folders import LINKED_FOLDER, refuse_folder
from pipelines.job.sources.files.paths import check_regular, read_file

_UNLABELLED = Entry(None, None)
# By which the job counts shards, as if all sequences had so many steps.
_STEPS = 300


class Place(NamedTuple):
    """A path below the folder, with '/', and why it cannot be used ('' if it can)."""

    name: str
    reason: str = ''


@dataclasses.dataclass(frozen=True)
class Npy:
    """Arrays below a folder; see `make_npy`.

    Attributes:
      path: folder.
      dtype: that values are stored as, 'uint8' or 'float16'.
      channels: C.
      width: bytes of a value in the first array's file.
      first: name of the array that decided.
      names: those of the classes, see `labels.resolve`.
    """

    path: str
    dtype: str
    channels: int
    width: int
    first: str
    names: tuple[str, ...] | None = None
    kind: str = 'signal'

    def groups(self) -> list[Group]:
        """The folder, for each split that it has arrays of."""
        found = {item.split for item in _list(self.path)}
        if 'train' not in found:
            raise LonghaulError(
                f'--source=npy:{self.path}: no array to train on; put some into train/, or give '
                'some the split train'
            )
        return [Group(self.path, split) for split in SPLITS if split in found]

    def items(self, group: Group) -> Iterator[Item[Place]]:
        """Arrays by name, and what the label file names besides."""
        return (item for item in _list(self.path) if item.split == group.split)

    def read(self, group: str, items: Sequence[Item[Place]]) -> Iterator[Payload | Rejected]:
        """The files' bytes."""
        for item in items:
            try:
                data = read_file(_usable(group, item.place))
                self._check(data)
            except Rejected as verdict:
                yield verdict
            else:
                yield Payload(data)

    def _check(self, data: bytes) -> None:
        file = io.BytesIO(data)
        header = read_header(file)
        if header.stored != self.dtype:
            raise Rejected(
                'of another type than the first array',
                f'{header.dtype.name}, and {self.first} is stored as {self.dtype}',
            )
        if header.channels != self.channels:
            raise Rejected(
                'of another number of channels than the first array',
                f'{header.channels}, and {self.first} has {self.channels}',
            )
        found = len(data) - file.tell()
        if found != header.bytes:
            raise Rejected('cut off or too long', f'{found} bytes, not {header.bytes}')
        if header.stored == 'float16':
            shape, order = (header.steps, header.channels), 'F' if header.fortran else 'C'
            flat = np.frombuffer(data, header.dtype, offset=file.tell())
            check_floats(flat.reshape(shape, order=order))

    def where(self, item: Item[Place]) -> str:
        """The path below the folder."""
        return item.place.name

    def class_names(self) -> tuple[str, ...] | None:
        """Those of --class_names."""
        return self.names

    def image_size(self) -> None:
        """Numbers have none."""

    def estimated_items(self) -> int:
        """By size, in sequences of three hundred steps."""
        paths = (os.path.join(self.path, item.place.name) for item in _list(self.path))
        size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
        return size // (_STEPS * self.channels * self.width) + 1


def make_npy(path: str, *, class_names: tuple[str, ...] | None = None) -> Npy:
    """Finds out what the arrays hold, from the first sound header.

    Args:
      path: folder.
      class_names: by number; None: as found.

    Raises:
      LonghaulError: for a missing folder, one without a usable array, or a bad label file.
    """
    if not os.path.isdir(path):
        raise LonghaulError(f'--source=npy:{path}: no such folder; name one with .npy files')
    fault = 'it holds none'
    for item in _list(path):
        try:
            header = _header(path, item.place)
        except Rejected as verdict:
            detail = f' ({verdict.detail})' if verdict.detail else ''
            fault = f'{item.place.name}: {verdict.reason}{detail}'
            continue
        return Npy(
            path=path,
            dtype=header.stored,
            channels=header.channels,
            width=header.dtype.itemsize,
            first=item.place.name,
            names=class_names,
        )
    raise LonghaulError(
        f'--source=npy:{path}: no usable .npy file below it ({fault}); save arrays of shape '
        '[T, C] with numpy.save'
    )


def _header(folder: str, place: Place) -> Header:
    path = _usable(folder, place)
    try:
        check_regular(path)
        with open(path, 'rb') as file:
            return read_header(file)
    except OSError as error:
        raise Rejected('the file cannot be read', os.strerror(error.errno)) from error


def _usable(folder: str, place: Place) -> str:
    """The path of a file that there is."""
    if place.reason:
        raise Rejected(place.reason)
    path = os.path.join(folder, place.name)
    if not os.path.lexists(path):
        raise Rejected('the label file names it, and there is no such file')
    return path


def _list(folder: str) -> Iterator[Item[Place]]:
    """All arrays by name, and links to folders; the groups' path is the folder itself."""
    labels, linked = read_labels(folder), set()
    own = os.path.isdir(os.path.join(folder, 'train'))
    by_column = any(entry.split is not None for entry in labels.values())
    for name in sorted({*_names(folder, linked), *labels}):
        entry, top = labels.get(name, _UNLABELLED), name.partition('/')[0]
        inside = own and top in SPLITS
        split = entry.split or (top if inside else 'train')
        reason, label = LINKED_FOLDER if name in linked else '', entry.label
        if own and not by_column:
            if not inside:
                reason, label = f'outside of the folders {", ".join(SPLITS)}', None
            yield Item(name, split, label, folder, Place(name, reason))
        else:
            yield Item(f'{split}/{name}', split, label, folder, Place(name, reason))


def _names(folder: str, linked: set[str]) -> Iterator[str]:
    """Paths below the folder with '/'; links to folders go into `linked`, and are not followed."""
    for below, folders, files in os.walk(folder, onerror=refuse_folder):
        links = {name for name in folders if os.path.islink(os.path.join(below, name))}
        for file in (*files, *links):
            name = os.path.relpath(os.path.join(below, file), folder).replace(os.sep, '/')
            # What desktops leave behind: ._a.npy, __MACOSX/.
            if any(part.startswith(('.', '__MACOSX')) for part in name.split('/')):
                continue
            if file in links:
                linked.add(name)
            if file in links or name.lower().endswith('.npy'):
                yield name
