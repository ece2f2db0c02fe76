"""Counts the characters of the training split for the vocabulary, before the shards are written.

Every training document is read twice, once to be counted and once to be written. (A gzipped table
is unpacked twice for each shard.) Memory holds the counts, but might not hold the texts in between.
"""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.job.encoder import set_up_worker
from pipelines.job.items import Hashed
from pipelines.job.labels import Labels, resolve
from pipelines.job.packing import unpack
from pipelines.job.plan import Plan
from pipelines.job.reading import Decoded, decoded, in_order

_CODE_POINTS = 0x110000


class Decoding(beam.DoFn):
    """A step whose workers decode items."""

    def __init__(self, plan: Plan, threads: int) -> None:
        self._plan, self._threads = plan, threads

    def setup(self) -> None:
        """Loads what decodes, see `set_up_worker`."""
        set_up_worker(self._plan.spec)


class _Count(Decoding):
    """((split, shard), packed items) -> (code point, number), for the training split alone."""

    def process(
        self, keyed: tuple[tuple[str, int], Iterable[bytes]], labels: list[tuple[str, str]]
    ) -> Iterable[tuple[int, int]]:
        """Counts a shard."""
        (split, _), packed = keyed
        if split == 'train':
            resolved = resolve(labels, self._plan.source.names)
            yield from count(unpack(packed), self._plan, resolved, self._threads)


def count(
    hashed: list[Hashed], plan: Plan, labels: Labels, threads: int = 1
) -> Iterator[tuple[int, int]]:
    """Counts the characters of documents; leaves out documents that will be rejected.

    Args:
      hashed: items, in any order.
      plan: of the job; its spec has no vocabulary yet.
      labels: the classes, and the numbers of labels.
      threads: number of threads that decode.

    Yields:
      (code point, number) of each character that occurs.
    """
    counts = np.zeros([_CODE_POINTS], np.int64)
    for batch in decoded(in_order(hashed), plan, labels, threads):
        usable = [found.values for found in batch.items if isinstance(found, Decoded)]
        if usable:
            found, times = np.unique(np.concatenate(usable), return_counts=True)
            counts[found] += times
    for point in np.flatnonzero(counts).tolist():
        yield point, int(counts[point])


def choose(counts: Iterable[tuple[int, int]], size: int) -> str:
    """The most frequent characters. Of equally frequent ones, the smaller code point comes first.

    Args:
      counts: (code point, number), each code point once, in any order.
      size: the greatest number of characters.
    """
    ordered = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    return ''.join(chr(point) for point, _ in ordered[:size])


def _chosen(counts: list[tuple[int, int]], plan: Plan, size: int) -> str:
    if not counts:
        options = plan.options
        raise LonghaulError(
            f'--source={options.source}: the training split holds no usable document to make a '
            f'vocabulary of, with --validation_share={options.validation_share} and --test_share='
            f'{plan.test_share}; lower the shares, or use --tokens=bytes, which lists the rejected '
            'documents with the reasons'
        )
    return choose(counts, size)


def add_vocabulary(
    pipeline: beam.Pipeline,
    shards: beam.PCollection,
    labels: beam.pvalue.AsList,
    plan: Plan,
    threads: int,
) -> beam.PCollection:
    """Adds the counting of characters to a pipeline.

    Args:
      pipeline: of the job.
      shards: ((split, shard), all packed items of the shard).
      labels: (split, label) pairs.
      plan: of the job.
      threads: number of threads of each worker that decode.

    Returns:
      One element: the vocabulary, or None if the plan needs none.
    """
    size = plan.vocabulary_size
    if size is None:
        return pipeline | 'No vocabulary' >> beam.Create([None])
    counts = (
        shards
        | 'Count' >> beam.ParDo(_Count(plan, threads), labels)
        | 'Add up' >> beam.CombinePerKey(sum)
    )
    return (
        pipeline
        | 'Once, to choose' >> beam.Create([None])
        | 'Choose'
        >> beam.Map(lambda _, counts: _chosen(counts, plan, size), beam.pvalue.AsList(counts))
    )
