"""Items -> payloads -> values: the same for those who write documents and those who count them."""

from collections.abc import Iterator

import numpy as np

from pipelines.job.encoder import encode
from pipelines.job.items import Hashed, Item, Payload, Rejected
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan


def in_order(hashed: list[Hashed]) -> list[Hashed]:
    """By hash of the id, which does not depend on how the items arrived."""
    return sorted(hashed, key=lambda h: (h.hash, h.item.id, h.item.group, str(h.item.place)))


def read_payloads(hashed: list[Hashed], plan: Plan) -> Iterator[tuple[Hashed, Payload | Rejected]]:
    """Payloads in order; each group's by a reader of its own, so that a table is read once."""
    by_group: dict[str, list[Item]] = {}
    for h in hashed:
        by_group.setdefault(h.item.group, []).append(h.item)
    readers = {group: plan.source.read(group, items) for group, items in by_group.items()}
    for h in hashed:
        yield h, next(readers[h.item.group])


def label_and_values(
    item: Item, payload: Payload | Rejected, plan: Plan, labels: Labels
) -> tuple[int, np.ndarray]:
    """An item's class number (-1 for none) and its values, see `encode`.

    Raises:
      Rejected: if it cannot be used.
    """
    if isinstance(payload, Rejected):
        raise payload
    label = -1 if item.label is None else labels.numbers.get(item.label)
    if label is None:
        raise Rejected('the label is none of the classes', item.label)
    return label, encode(payload, plan.spec)
