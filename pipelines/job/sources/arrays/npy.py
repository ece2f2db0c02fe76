"""npy:DIR - sequences of numbers: .npy files of shape [T, C] or [T], anywhere below a folder.

The folder may hold labels.csv (columns file, label and perhaps split) or labels.jsonl, which names
arrays by their paths below the folder. Other arrays have no label. If the label file has no column
of splits and the folder holds train/, then train/, validation/ and test/ are the splits.

uint8 is stored as uint8, and float16, float32 and float64 are stored as float16. The first array
with a sound header, in the order of names, decides about the channels and the type. Arrays that
differ from it are rejected.
"""

import dataclasses
import io
import os
from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources.arrays.header import Header, read_header
from pipelines.job.sources.arrays.labels import LABEL_FILES, read_labels
from pipelines.job.sources.arrays.listed import Place, arrays_in
from pipelines.job.sources.arrays.values import check_floats
from pipelines.job.sources.files.paths import check_regular, errno_text, read_file
from pipelines.job.sources.listing import names_in
from pipelines.job.sources.splits import not_read, split_named, told, unread_splits
from pipelines.job.sources.unchanged import NOTHING, Seen, see

# The number of shards is estimated as if all sequences had so many steps.
_STEPS = 300


@dataclasses.dataclass(frozen=True)
class Npy(Source[Place]):
    """The arrays below a folder; `make_npy` makes it.

    Attributes:
      path: the folder.
      dtype: type that values are stored as, 'uint8' or 'float16'.
      channels: C.
      width: bytes of a value in the file of the first array.
      first: name of the array that decides about type and channels.
      names: names of the classes, see `labels.resolve`; None: as found.
      seen: the label file as it was before it was read.
    """

    path: str
    dtype: str
    channels: int
    width: int
    first: str
    names: tuple[str, ...] | None = None
    seen: Seen = NOTHING
    kind: str = 'signal'

    def groups(self) -> list[Group]:
        """The folder, once for each split that has arrays."""
        found = {item.split for item in arrays_in(self.path)}
        if 'train' not in found:
            raise LonghaulError(
                f'--source=npy:{self.path}: no array to train on; put some into train/, or give '
                'some the split train'
            )
        return [Group(self.path, split) for split in SPLITS if split in found]

    def told(self) -> list[str]:
        """What is taken for which split, if the names of folders say it, and what is not read."""
        if any(entry.split is not None for entry in read_labels(self.path).values()):
            return []
        tops = sorted({item.place.name.partition('/')[0] for item in arrays_in(self.path)})
        found = [(top, split) for top in tops if (split := split_named(top)) is not None]
        if not found:
            return []
        others = [n for n in names_in(self.path) if not n.lower().endswith('.npy')]
        return [told(found), *not_read(unread_splits(others, found))]

    def items(self, group: Group) -> Iterator[Item[Place]]:
        """Lists arrays by name, and files that the label file alone names."""
        found = [item for item in arrays_in(self.path) if item.split == group.split]
        for name in LABEL_FILES:
            self.seen.check(os.path.join(self.path, name))
        return iter(found)

    def read(self, group: str, items: Sequence[Item[Place]]) -> Iterator[Payload | Rejected]:
        """Reads array files."""
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
            flat = np.frombuffer(data, header.dtype, offset=file.tell())
            shape = header.steps, header.channels
            check_floats(flat.reshape(shape, order='F' if header.fortran else 'C'))

    def where(self, item: Item[Place]) -> str:
        """The path of the array below the folder."""
        return item.place.name

    def estimated_items(self) -> int:
        """A number by size: a sequence is taken to have 300 steps."""
        paths = (os.path.join(self.path, item.place.name) for item in arrays_in(self.path))
        size = sum(os.path.getsize(path) for path in paths if os.path.isfile(path))
        return size // (_STEPS * self.channels * self.width) + 1


def make_npy(path: str, *, class_names: tuple[str, ...] | None = None) -> Npy:
    """Makes the source. Reads the type and the channels from the first sound header.

    Args:
      path: the folder.
      class_names: names of the classes by number; None: as found.

    Raises:
      LonghaulError: for a missing folder, one without a usable array, or a bad label file.
    """
    if not os.path.isdir(path):
        raise LonghaulError(f'--source=npy:{path}: no such folder; name one with .npy files')
    fault, seen = 'it holds none', see(*(os.path.join(path, name) for name in LABEL_FILES))
    for item in arrays_in(path):
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
            seen=seen,
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
        raise Rejected('the file cannot be read', errno_text(error)) from error


def _usable(folder: str, place: Place) -> str:
    """The path of a file; rejects a place that cannot be used, and a missing file."""
    if place.reason:
        raise Rejected(place.reason)
    path = os.path.join(folder, place.name)
    if not os.path.lexists(path):
        raise Rejected('the label file names it, and there is no such file')
    return path
