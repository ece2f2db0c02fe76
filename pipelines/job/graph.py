"""The Beam graph of the job.

Its steps: list the items, assign splits and shards, count characters (with --tokens=characters),
write the shards, finish.
"""

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from pipelines.format import anchors
from pipelines.job import apart, metrics
from pipelines.job.few_labels import SmallestKeys, add_last_key
from pipelines.job.finish import finish
from pipelines.job.items import Group, Hashed
from pipelines.job.labels import resolve
from pipelines.job.packing import pack, unpack
from pipelines.job.plan import Plan
from pipelines.job.shards import shards_of, write_shard
from pipelines.job.vocabulary import Decoding, add_vocabulary
from pipelines.job.writing import refuses_full_disk

# These take some three megabytes.
_HELD_ITEMS = 20_000
# Splits are drawn for so many items at once, and the metric of listed ones is updated once.
_LISTED_TOGETHER = 1000
# Packed bytes of a shard's items, some two thousand of them: a fork takes milliseconds.
_WORTH_A_PROCESS = 1 << 16
_LABELS, _KEYS = 'labels', 'keys'


def _listed(group: Group, plan: Plan) -> Iterator[tuple[str, Hashed]]:
    """Group -> (split, Hashed) for each item of the group."""
    items = iter(plan.source.items(group))
    while some := list(itertools.islice(items, _LISTED_TOGETHER)):
        hashes = [anchors.id_hash(item.id) for item in some]
        splits = plan.splits_of([item.split for item in some], hashes)
        yield from zip(splits, map(Hashed, hashes, some), strict=True)
        metrics.count('listed', len(some))


def _by_shard(hashed: list[Hashed], shards: int) -> Iterator[tuple[int, list[Hashed]]]:
    """Items -> (shard, its items) for each shard that has some."""
    found = shards_of(np.array([h.hash for h in hashed], np.uint64), shards)
    order = np.argsort(found, kind='stable')
    for places in np.split(order, np.flatnonzero(np.diff(found[order])) + 1):
        yield int(found[places[0]]), [hashed[i] for i in places.tolist()]


class _Pack(beam.DoFn):
    """Collects items, and outputs many of them packed as ((split, shard), bytes).

    It takes single items as (split, Hashed), or whole groups, which it lists itself: to pass every
    item from step to step takes a runner longer. It has two more outputs: `labels` with the
    (split, label) pairs that occur, and `keys` with the smallest keys of each bundle (see
    `few_labels`).
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def start_bundle(self) -> None:
        """Begins with no items."""
        self._held: dict[str, list[Hashed]] = {}
        self._labels: set[tuple[str, str]] = set()
        self._keys = SmallestKeys(self._plan)
        self._count = 0

    def process(
        self, element: Group | tuple[str, Hashed]
    ) -> Iterator[tuple[tuple[str, int], bytes]]:
        """Takes an item or the items of a group; outputs packed items when many are held."""
        for keyed in _listed(element, self._plan) if isinstance(element, Group) else [element]:
            yield from self._hold(*keyed)

    def _hold(self, split: str, hashed: Hashed) -> Iterator[tuple[tuple[str, int], bytes]]:
        self._held.setdefault(split, []).append(hashed)
        self._keys.add(split, hashed)
        if hashed.item.label is not None:
            self._labels.add((split, hashed.item.label))
        self._count += 1
        if self._count == _HELD_ITEMS:
            yield from self._packed()

    def _packed(self) -> Iterator[tuple[tuple[str, int], bytes]]:
        for split, hashed in self._held.items():
            for shard, own in _by_shard(hashed, self._plan.shards):
                yield (split, shard), pack(own)
        self._held, self._count = {}, 0

    def finish_bundle(self) -> Iterable[Any]:
        """Outputs the items that are left, the labels and the keys."""
        window = GlobalWindows.windowed_value
        for element in self._packed():
            yield window(element)
        for pair in self._labels:
            yield TaggedOutput(_LABELS, window(pair))
        if smallest := self._keys.smallest():
            yield TaggedOutput(_KEYS, window(smallest))


class _Write(Decoding):
    """((split, shard), packed items) -> the counts of the written shard.

    With `processes` above 1, shards are written apart where that is possible: see `apart`.
    """

    def __init__(self, plan: Plan, threads: int, processes: int) -> None:
        super().__init__(plan, threads)
        self._processes = processes if apart.possible(plan) else 1

    def start_bundle(self) -> None:
        """Begins with no processes."""
        self._apart = apart.Processes(self._plan, self._processes)

    def process(
        self,
        keyed: tuple[tuple[str, int], Iterable[bytes]],
        labels: list[tuple[str, str]],
        vocabulary: str | None,
        last_label_key: int | None,
    ) -> Iterable[dict[str, Any]]:
        """Writes a shard."""
        (split, shard), packed = keyed
        plan = self._plan.resolved(vocabulary, last_label_key)
        resolved = resolve(labels, plan.source.names)
        parts = list(packed)

        def write() -> dict[str, Any]:
            """Writes the shard, here or apart."""
            with refuses_full_disk(plan.options.output):
                return write_shard(split, shard, unpack(parts), plan, resolved, self._threads)

        if self._processes > 1 and sum(map(len, parts)) >= _WORTH_A_PROCESS:
            yield from self._apart.start(write)
        else:
            yield write()

    def finish_bundle(self) -> Iterable[Any]:
        """Waits for the shards that are written apart."""
        for written in self._apart.results():
            yield GlobalWindows.windowed_value(written)


def build(pipeline: beam.Pipeline, plan: Plan, threads: int = 1, processes: int = 1) -> None:
    """Adds the whole job to a pipeline.

    Args:
      pipeline: the pipeline.
      plan: of the job.
      threads: number of threads of each worker that decode.
      processes: number of processes that a worker may fork to write documents; 1: it forks none.
    """
    groups = pipeline | 'Groups' >> beam.Create(plan.source.groups())
    items = groups if plan.options.limit is None else _smallest(groups, plan)
    packed = items | 'Pack' >> beam.ParDo(_Pack(plan)).with_outputs(_LABELS, _KEYS, main='items')
    labels = packed[_LABELS] | 'Distinct' >> beam.Distinct()
    keys = [(split, shard) for split in plan.splits for shard in range(plan.shards)]
    # Empty shards are written too. A shard that is missing would look like a loss.
    all_keys = pipeline | 'Shards' >> beam.Create([(key, b'') for key in keys])
    shards = (
        (packed['items'], all_keys) | 'Together' >> beam.Flatten() | 'Group' >> beam.GroupByKey()
    )
    pairs = beam.pvalue.AsList(labels)
    vocabulary = beam.pvalue.AsSingleton(add_vocabulary(pipeline, shards, pairs, plan, threads))
    last_key = beam.pvalue.AsSingleton(add_last_key(pipeline, packed[_KEYS], plan))
    written = shards | 'Write' >> beam.ParDo(
        _Write(plan, threads, processes), pairs, vocabulary, last_key
    )
    _ = (
        pipeline
        | 'Once' >> beam.Create([None])
        | 'Finish'
        >> beam.Map(
            lambda _, shards, labels, vocabulary: _finish(
                shards,
                plan.resolved(vocabulary),
                resolve(labels, plan.source.names).names,
            ),
            beam.pvalue.AsList(written),
            pairs,
            vocabulary,
        )
    )


def _smallest(groups: beam.PCollection, plan: Plan) -> beam.PCollection:
    """The items that --limit keeps, as (split, Hashed)."""
    return (
        groups
        | 'List' >> beam.FlatMap(_listed, plan)
        | 'Smallest' >> beam.combiners.Top.SmallestPerKey(plan.options.limit, key=lambda h: h.hash)
        | 'Kept' >> beam.FlatMapTuple(lambda split, kept: [(split, h) for h in kept])
    )


def _finish(shards: list[dict[str, Any]], plan: Plan, names: tuple[str, ...]) -> str:
    with refuses_full_disk(plan.options.output):
        return finish(shards, plan, names)
