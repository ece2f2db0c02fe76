"""What travels through the job: ids and locators, never payloads.

Local runners hold what they group in memory; a locator is a hundred bytes where an image or a
document can be a hundred megabytes. The shard's writer reads the payload itself.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np

# Where in its group an item lies, as its source has it: a name, a row, an offset, a tuple of such.
Place = TypeVar('Place')


class Item(NamedTuple, Generic[Place]):
    """One example to be written.

    `id`: relative to the source's root. `split`: the source's own. `label`: as it stands in the
    source; None for none. `group`: the file, zip or folder that it lies in. `place`: where in the
    group.
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
    """What a source reads: raw bytes (an image or .npy file, UTF-8), or pixels uint8 [H, W, 1].

    `encoding`: of a text, what it was converted from.
    """

    data: bytes | None = None
    pixels: np.ndarray | None = None
    encoding: str = 'utf-8'


class Rejected(Exception):  # noqa: N818 - a verdict about an item, not an error of the job
    """An item that cannot be used.

    Attributes:
      reason: what the user reads, and what is counted.
      detail: what is particular to this item; '' for nothing.
    """

    def __init__(self, reason: str, detail: str = '') -> None:
        super().__init__(reason, detail)
        self.reason, self.detail = reason, detail


@dataclasses.dataclass(frozen=True)
class Group:
    """A part of a source that is listed on its own: a file, a zip, a folder."""

    path: str
    split: str


class Source(Protocol[Place]):
    """Where items come from. Picklable; opens its files where it is used."""

    @property
    def kind(self) -> str:
        """'image', 'text' or 'signal'."""

    @property
    def channels(self) -> int:
        """Values per step; see `SequenceSpec`."""

    def groups(self) -> list[Group]:
        """The parts to list, in a fixed order; refuses a source without any.

        Their splits are the source's own: 'train', and perhaps 'validation' and 'test'.
        """

    def items(self, group: Group) -> Iterator[Item[Place]]:
        """The items of a group."""

    def read(self, group: str, items: Sequence[Item[Place]]) -> Iterator[Payload | Rejected]:
        """The payloads of some items of one group, in their order."""

    def where(self, item: Item[Place]) -> str:
        """An item's place for people; says nothing about where the source itself lies."""

    def class_names(self) -> tuple[str, ...] | None:
        """Names of all classes if the source knows them beforehand, else None."""

    def image_size(self) -> int | None:
        """The side that all its images have by nature, else None."""

    def estimated_items(self) -> int:
        """A rough number of items, for the number of shards."""


@runtime_checkable
class SignalSource(Source[Place], Protocol):
    """A source of kind 'signal', which also knows what its arrays hold."""

    @property
    def dtype(self) -> str:
        """What their values are stored as, 'uint8' or 'float16'."""
