"""The interface of a source, and the items, payloads and verdicts that it gives to the job.

Only items travel through the runner: local runners hold all of them in memory. An item takes a
hundred bytes, and its payload may take a hundred megabytes. The writer of a shard reads the
payloads.
"""

import abc
import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

# Where an item lies in its group. Each source has its own type: a name, a row, an offset, a tuple.
Place = TypeVar('Place')


class Item(NamedTuple, Generic[Place]):
    """An example that is to be written.

    `id`: unique, and the same wherever the source lies. `split`: the split that the source says.
    `label`: as the source has it; None for none. `group`: the file, zip or folder that the item
    lies in. `place`: where in the group it lies.
    """

    id: str
    split: str
    label: str | None
    group: str
    place: Place


class Hashed(NamedTuple):
    """An item and the hash of its id."""

    hash: int
    item: Item[Any]


class Payload(NamedTuple):
    """The content of an item.

    `content`: the bytes of an image, of a .npy file or of a text as UTF-8; or an array of pixels,
    uint8 [H, W, 1]. `encoding`: the encoding that a text was converted from.
    """

    content: bytes | np.ndarray
    encoding: str = 'utf-8'


class Rejected(Exception):  # noqa: N818 - a verdict about an item, not an error of the job
    """An item that cannot be used.

    Attributes:
      reason: the text for users. The job counts items by reason.
      detail: a text about this item alone; '' for none.
    """

    def __init__(self, reason: str, detail: str = '') -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclasses.dataclass(frozen=True)
class Group:
    """A part of a source that one worker lists: a file, a zip or a folder, and its split.

    `inside`: the folder in a zip that counts, with '/' at its end; '' for all of the zip.
    """

    path: str
    split: str
    inside: str = ''


class Source(abc.ABC, Generic[Place]):
    """A source of items. Sources are pickled: they open their files where they are used.

    Attributes:
      kind: 'image', 'text' or 'signal'.
      channels: values per step; see `SequenceSpec`.
      dtype: the type that values are stored as, 'uint8' or 'float16'; signals alone have it.
      names: of all classes if the source knows them before it lists, see `labels.resolve`.
    """

    kind: str
    channels: int
    dtype: str
    names: tuple[str, ...] | None = None

    @abc.abstractmethod
    def groups(self) -> list[Group]:
        """The parts of the source in a fixed order; their splits are those that the source says.

        Raises:
          LonghaulError: if the source holds nothing to train on.
        """

    @abc.abstractmethod
    def items(self, group: Group) -> Iterator[Item[Place]]:
        """Lists the items of a group."""

    @abc.abstractmethod
    def read(self, group: str, items: Sequence[Item[Place]]) -> Iterator[Payload | Rejected]:
        """Reads the payloads of some items of one group, in their order."""

    @abc.abstractmethod
    def where(self, item: Item[Place]) -> str:
        """The place of an item, for users; without the place of the source itself."""

    def image_size(self) -> int | None:
        """The side of all images, if they are square and of one size; else None."""
        return None

    def told(self) -> list[str]:
        """Lines for users: what the source takes for what, and what it does not read."""
        return []

    @abc.abstractmethod
    def estimated_items(self) -> int:
        """A rough number of items. The number of shards follows from it."""
