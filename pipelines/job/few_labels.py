"""`--labels=N`: N training items keep their labels, whatever the order in which they arrive.

They are those of the smallest keys; all others become unlabelled. Classes are what the source's
labels say, kept or not, and items whose label is none of them are rejected as ever.
"""

import heapq
import itertools
from collections.abc import Iterable

import apache_beam as beam

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError
from pipelines.job.items import Hashed
from pipelines.job.plan import Plan
from pipelines.job.reading import Batch

_STREAM = 41


def key_of(id_hash: int, seed: int) -> int:
    """The key of a training item: 63 bits of its id and the job's seed."""
    # Beam's integers have a sign.
    return int(anchors.mix(seed, _STREAM, id_hash)) >> 1


class SmallestKeys:
    """Those of the labelled training items of a bundle, as few as the whole job needs."""

    def __init__(self, plan: Plan) -> None:
        """Keeps none where the plan keeps all labels."""
        self._count, self._seed = plan.options.labels, plan.options.seed
        self._keys: list[int] = []

    def add(self, split: str, hashed: Hashed) -> None:
        """Takes one more item."""
        if self._count is None or split != 'train' or hashed.item.label is None:
            return
        self._keys.append(key_of(hashed.hash, self._seed))
        if len(self._keys) > 2 * self._count + 1000:
            self._keys = self.smallest()

    def smallest(self) -> list[int]:
        """At most N keys."""
        return heapq.nsmallest(self._count or 0, self._keys)


def add_last_key(pipeline: beam.Pipeline, keys: beam.PCollection, plan: Plan) -> beam.PCollection:
    """Adds the choice to a pipeline.

    Args:
      pipeline: of the job.
      keys: what `SmallestKeys.smallest` gave of each bundle.
      plan: of the job.

    Returns:
      One element: the greatest key that keeps its label, or None where all labels are kept.
    """
    if plan.options.labels is None:
        return pipeline | 'All labels' >> beam.Create([None])

    def smallest(parts: Iterable[list[int]]) -> list[int]:
        """Of several bundles."""
        return heapq.nsmallest(plan.options.labels, itertools.chain.from_iterable(parts))

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
    """A training batch, unlabelled but for the items that keep their labels."""
    if plan.last_label_key is None:
        return batch
    seed, last = plan.options.seed, plan.last_label_key
    items = [
        found if key_of(found.hashed.hash, seed) <= last else found._replace(label=-1)
        for found in batch.items
    ]
    return batch._replace(items=items)
