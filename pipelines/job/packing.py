"""Packs thousands of items into one string, for the way through the runner.

A runner spends tens of microseconds and some kilobytes on every element that it groups. For an
item, this would be more than the decoding of a small image.
"""

import pickle
import zlib
from collections.abc import Iterable

from pipelines.job.items import Hashed, Item


def pack(hashed: list[Hashed]) -> bytes:
    """Packs items column by column. A value that many items share is stored once.

    Args:
      hashed: at least one item.
    """
    shared: dict[str | None, str | None] = {}
    items = [h.item for h in hashed]
    columns = [[h.hash for h in hashed], [i.id for i in items], [i.place for i in items]]
    for name in ('split', 'label', 'group'):
        # pickle stores an object once; equal objects it would store several times.
        values = (getattr(item, name) for item in items)
        columns.append([shared.setdefault(value, value) for value in values])
    # Names resemble each other: compression saves two thirds of the memory, for 1 us per item.
    return zlib.compress(pickle.dumps(columns, protocol=5), 1)


def unpack(packed: Iterable[bytes]) -> list[Hashed]:
    """The items of several strings of `pack`. An empty string holds none."""
    found = []
    for part in packed:
        if part:
            rows = zip(*pickle.loads(zlib.decompress(part)), strict=True)
            found += [
                Hashed(number, Item(example_id, split, label, group, place))
                for number, example_id, place, split, label, group in rows
            ]
    return found
