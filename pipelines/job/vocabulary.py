"""The vocabulary of characters: counted over the training split before anything is written.

The documents are read twice, for counting and for writing. A worker holds the counts of one shard
at a time, which are no more than there are different characters.
"""

from collections import Counter
from collections.abc import Iterable

import apache_beam as beam
import numpy as np
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.sequences import SequenceSpec
from pipelines.job.encoder import check_text, set_up_worker
from pipelines.job.items import Rejected
from pipelines.job.labels import resolve
from pipelines.job.plan import Plan
from pipelines.job.shards import Hashed, in_order, payloads

DEFAULT_SIZE = 1000


class _Count(beam.DoFn):
    """((split, shard), items) -> (code point, count) over the shard's usable training documents."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def setup(self) -> None:
        """Leaves the other cores to the other workers."""
        set_up_worker()

    def process(
        self, keyed: tuple[tuple[str, int], Iterable[Hashed | None]], labels: list[tuple[str, str]]
    ) -> Iterable[tuple[int, int]]:
        """Counts a shard."""
        (split, _), items = keyed
        if split != 'train':
            return
        counts: Counter[int] = Counter()
        resolved = resolve(labels, self._plan.source.class_names())
        hashed = in_order([h for h in items if h is not None])
        for entry, payload in payloads(hashed, self._plan):
            try:
                # What will be rejected is not counted either.
                resolved.number_of(entry.item.label)
                if isinstance(payload, Rejected):
                    raise payload
                check_text(payload.data)
            except Rejected:
                continue
            counts.update(_count(payload.data, self._plan.spec))
        yield from counts.items()


def _count(data: bytes, spec: SequenceSpec) -> dict[int, int]:
    points, counts = np.unique(
        sequences.code_points(tf.constant(data), spec).numpy(), return_counts=True
    )
    return dict(zip(points.tolist(), counts.tolist(), strict=True))


def _spec_of(most_frequent: list[tuple[int, int]], spec: SequenceSpec) -> SequenceSpec:
    return sequences.with_vocabulary(spec, ''.join(chr(point) for point, _ in most_frequent))


def resolve_spec(
    grouped: beam.PCollection, labels: beam.PCollection, plan: Plan
) -> beam.PCollection:
    """The spec of the records, as the one element of a collection.

    Args:
      grouped: ((split, shard), items) of all shards.
      labels: (split, label) pairs that occur.
      plan: of the job.

    Returns:
      The plan's spec; for characters with the most frequent ones of the training split, those of
      equal count by code point.
    """
    if plan.spec.tokens != 'characters':
        return grouped.pipeline | 'Spec' >> beam.Create([plan.spec])
    size = plan.options.vocabulary_size or DEFAULT_SIZE
    return (
        grouped
        | 'CountCharacters' >> beam.ParDo(_Count(plan), beam.pvalue.AsList(labels))
        | 'AddUp' >> beam.CombinePerKey(sum)
        | 'MostFrequent' >> beam.combiners.Top.Of(size, key=lambda pair: (pair[1], -pair[0]))
        | 'Vocabulary' >> beam.Map(_spec_of, plan.spec)
    )
