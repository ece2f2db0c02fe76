"""`--labels=N`: N training items keep their labels, and all others become unlabelled.

The N items with the smallest keys keep theirs. A key follows from the id, so that the order of
arrival does not matter. Classes are those of all labels in the source, kept or not. An item whose
label is none of the classes is rejected, as without --labels.
"""

import heapq
import itertools
from collections.abc import Iterable

import apache_beam as beam

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError
from pipelines.job.items import Hashed
from pipelines.job.plan import Plan
from pipelines.job.reading import Batch, Decoded

_STREAM = 41


def key_of(id_hash: int, seed: int) -> int:
    """The key of a training item: 63 bits that depend on its id and the job's seed."""
    # Beam stores integers with a sign, so that one bit is dropped.
    return int(anchors.mix(seed, _STREAM, id_hash)) >> 1


class SmallestKeys:
    """The smallest keys of the labelled training items in a bundle, N of them at most."""

    def __init__(self, plan: Plan) -> None:
        """Collects no keys if the plan keeps all labels."""
        self._count, self._seed = plan.options.labels, plan.options.seed
        self._keys: list[int] = []

    def add(self, split: str, hashed: Hashed) -> None:
        """Adds the key of an item, if the item is in train and has a label."""
        if self._count is None or split != 'train' or hashed.item.label is None:
            return
        self._keys.append(key_of(hashed.hash, self._seed))
        if len(self._keys) > 2 * self._count + 1000:
            self._keys = self.smallest()

    def smallest(self) -> list[int]:
        """The N smallest keys, or all if there are fewer."""
        return heapq.nsmallest(self._count or 0, self._keys)


def add_last_key(pipeline: beam.Pipeline, keys: beam.PCollection, plan: Plan) -> beam.PCollection:
    """Adds the choice of items that keep their labels to a pipeline.

    Args:
      pipeline: of the job.
      keys: the result of `SmallestKeys.smallest` for each bundle.
      plan: of the job.

    Returns:
      One element: the greatest key whose item keeps its label, or None if all keep theirs.
    """
    count = plan.options.labels
    if count is None:
        return pipeline | 'All labels' >> beam.Create([None])

    def smallest(parts: Iterable[list[int]]) -> list[int]:
        """The smallest keys of several bundles together."""
        return heapq.nsmallest(count, itertools.chain.from_iterable(parts))

    return (
        keys
        | 'Smallest keys' >> beam.CombineGlobally(smallest)
        | 'Last key' >> beam.Map(lambda kept: _last(kept, plan))
    )


def _last(keys: list[int], plan: Plan) -> int:
    if not keys:
        options = plan.options
        raise LonghaulError(
            f'--labels={options.labels}: no training item of {options.source} has a label; leave '
            'it out, or name a source with labels'
        )
    return keys[-1]


def without_others(batch: Batch, plan: Plan) -> Batch:
    """A training batch in which only the chosen items have a label."""
    if plan.last_label_key is None:
        return batch
    seed, last = plan.options.seed, plan.last_label_key
    items = [
        found._replace(label=-1)
        if isinstance(found, Decoded) and key_of(found.hashed.hash, seed) > last
        else found
        for found in batch.items
    ]
    return batch._replace(items=items)
