"""idx:DIR - the four files of MNIST, gzipped or not; pixels are not changed."""

import dataclasses
import functools
import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources import limits
from pipelines.job.sources.unchanged import NOTHING, Seen, see

_PREFIX = {'train': 'train', 'test': 't10k'}


def _find(folder: str, name: str) -> str:
    for suffix in ('', '.gz'):
        for stem in (name, name.replace('-idx', '.idx')):
            path = os.path.join(folder, stem + suffix)
            if os.path.exists(path):
                return path
    raise LonghaulError(
        f'--source=idx:{folder}: {name} (or {name}.gz) is missing; put all four files there'
    )


def _load(path: str, dimensions: int) -> np.ndarray:
    """The values of a file. A process reads it once, and again if it has changed."""
    return _read(path, dimensions, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read(path: str, dimensions: int, changed: int) -> np.ndarray:
    """Reads an idx file: magic 0x0000080D, D sizes as big-endian uint32, unsigned bytes.

    Args:
      path: of the file.
      dimensions: D.
      changed: when the file was changed; another time is read again.

    Returns:
      uint8 with D dimensions.
    """
    del changed
    try:
        with gzip.open(path) if path.endswith('.gz') else open(path, 'rb') as file:
            shape = _shape(file.read(4 + 4 * dimensions), dimensions, path)
            # One byte more shows that the file is too long. A gzipped file may go on for gigabytes.
            data = limits.read_most(file, math.prod(shape) + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise LonghaulError(
            f'--source=idx: {path} cannot be read ({error}); fetch it again'
        ) from error
    if len(data) != math.prod(shape):
        found = f'more than {len(data) - 1}' if len(data) > math.prod(shape) else len(data)
        raise LonghaulError(
            f'--source=idx: {path} has {found} values, its header says {shape}; fetch it again'
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(header: bytes, dimensions: int, path: str) -> tuple[int, ...]:
    if len(header) < 4 + 4 * dimensions or header[:4] != bytes([0, 0, 8, dimensions]):
        raise LonghaulError(
            f'--source=idx: {path} begins with {header[:4].hex()}, an idx file of unsigned bytes '
            f'in {dimensions} dimensions with {bytes([0, 0, 8, dimensions]).hex()}; fetch it again'
        )
    return struct.unpack(f'>{dimensions}I', header[4:])


@dataclasses.dataclass(frozen=True)
class Idx(Source[int]):
    """Images and labels of MNIST, or of another data set in the same files.

    `seen`: the files as they were before they were read.
    """

    path: str
    seen: Seen = NOTHING
    kind: str = 'image'
    channels: int = 1

    def groups(self) -> list[Group]:
        """The splits train and test."""
        if not os.path.isdir(self.path):
            raise LonghaulError(
                f"--source=idx:{self.path}: no such folder; name the one with MNIST's four files"
            )
        groups = [Group(split, split) for split in _PREFIX]
        for group in groups:
            images, labels = self._arrays(group.path)
            if 0 in images.shape[1:]:
                raise LonghaulError(
                    f'--source=idx:{self.path}: the images of {group.split} have no pixels, its '
                    f'header says {images.shape}; fetch it again'
                )
            if len(images) != len(labels):
                raise LonghaulError(
                    f'--source=idx:{self.path}: {len(images)} images but {len(labels)} labels in '
                    f'{group.split}; fetch the files again'
                )
        return groups

    def _arrays(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        images = _find(self.path, f'{_PREFIX[split]}-images-idx3-ubyte')
        labels = _find(self.path, f'{_PREFIX[split]}-labels-idx1-ubyte')
        found = _load(images, 3), _load(labels, 1)
        for path in (images, labels):
            self.seen.check(path)
        return found

    def items(self, group: Group) -> Iterator[Item[int]]:
        """Lists images in order."""
        _, labels = self._arrays(group.path)
        for row, label in enumerate(labels):
            yield Item(f'{group.split}/{row:05}', group.split, str(label), group.path, row)

    def read(self, group: str, items: Sequence[Item[int]]) -> Iterator[Payload | Rejected]:
        """Pixels uint8 [H, W, 1]."""
        images, _ = self._arrays(group)
        for item in items:
            yield Payload(images[item.place][:, :, np.newaxis])

    def where(self, item: Item[int]) -> str:
        """'SPLIT: image N'."""
        return f'{item.group}: image {item.place}'

    def image_size(self) -> int | None:
        """The side of the images if they are square; else None."""
        sides = {s for split in _PREFIX for s in self._arrays(split)[0].shape[1:]}
        return sides.pop() if len(sides) == 1 else None

    def estimated_items(self) -> int:
        """The number of images."""
        return sum(len(self._arrays(s)[1]) for s in _PREFIX)


def make_idx(path: str) -> Idx:
    """Makes the source idx:DIR."""
    return Idx(path, see(path))
