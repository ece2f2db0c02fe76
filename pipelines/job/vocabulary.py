"""The vocabulary of a job that writes characters: a first pass, over the training split alone.

Every document of it is read twice, once to be counted and once to be written (a gzipped table is
unpacked twice for each shard): texts that are kept in between would have to fit into memory, and
counts alone always do.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.job.encoder import set_up_worker
from pipelines.job.items import Hashed, Rejected
from pipelines.job.labels import Labels, resolve
from pipelines.job.packing import unpack
from pipelines.job.plan import Plan
from pipelines.job.reading import decoded, in_order

_CODE_POINTS = 0x110000


class _Count(beam.DoFn):
    """((split, shard), packed items) -> (code point, how often), of the training split."""

    def __init__(self, plan: Plan, threads: int) -> None:
        self._plan, self._threads = plan, threads

    def setup(self) -> None:
        """Leaves the other cores to the other workers."""
        set_up_worker()

    def process(
        self, keyed: tuple[tuple[str, int], Iterable[bytes]], labels: list[tuple[str, str]]
    ) -> Iterable[tuple[int, int]]:
        """Counts a shard."""
        (split, _), packed = keyed
        if split == 'train':
            resolved = resolve(labels, self._plan.source.class_names())
            yield from count(unpack(packed), self._plan, resolved, self._threads)


def count(
    hashed: list[Hashed], plan: Plan, labels: Labels, threads: int = 1
) -> Iterator[tuple[int, int]]:
    """Counts the characters that will be written; a document that will be rejected has none.

    Args:
      hashed: items, in any order.
      plan: of the job; its spec has no vocabulary yet.
      labels: numbers of the labels.
      threads: that decode.

    Yields:
      (code point, how often) of each character that occurs.
    """
    counts = np.zeros([_CODE_POINTS], np.int64)
    for batch in decoded(in_order(hashed), plan, labels, threads):
        usable = [found.values for found in batch.items if not isinstance(found.values, Rejected)]
        if usable:
            found, times = np.unique(np.concatenate(usable), return_counts=True)
            counts[found] += times
    for point in np.flatnonzero(counts).tolist():
        yield point, int(counts[point])


def choose(counts: Iterable[tuple[int, int]], size: int) -> str:
    """The most frequent characters, the smaller code point first where two are equally frequent.

    Args:
      counts: (code point, how often), each code point once, in any order.
      size: how many are wanted at most.
    """
    ordered = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    return ''.join(chr(point) for point, _ in ordered[:size])


def _chosen(counts: list[tuple[int, int]], plan: Plan) -> str:
    if not counts:
        options = plan.options
        raise LonghaulError(
            f'--source={options.source}: the training split holds no usable document to make a '
            f'vocabulary of, with --validation_share={options.validation_share} and --test_share='
            f'{plan.test_share}; lower the shares, or use --tokens=bytes, which lists the rejected '
            'documents with the reasons'
        )
    return choose(counts, plan.vocabulary_size)


def add_vocabulary(
    pipeline: beam.Pipeline,
    shards: beam.PCollection,
    labels: beam.pvalue.AsList,
    plan: Plan,
    threads: int,
) -> beam.PCollection:
    """Adds the counting to a pipeline.

    Args:
      pipeline: of the job.
      shards: ((split, shard), packed items), grouped.
      labels: (split, label) pairs.
      plan: of the job.
      threads: that decode, in each worker.

    Returns:
      One element: the vocabulary, or None where the plan needs none.
    """
    if plan.vocabulary_size is None:
        return pipeline | 'No vocabulary' >> beam.Create([None])
    counts = (
        shards
        | 'Count' >> beam.ParDo(_Count(plan, threads), labels)
        | 'Add up' >> beam.CombinePerKey(sum)
    )
    return (
        pipeline
        | 'Once, to choose' >> beam.Create([None])
        | 'Choose' >> beam.Map(lambda _, counts: _chosen(counts, plan), beam.pvalue.AsList(counts))
    )
