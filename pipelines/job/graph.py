"""The Beam graph of the job.

Its steps: list the items, assign splits and shards, count characters (with --tokens=characters),
write the shards, finish.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from pipelines.format import anchors
from pipelines.job import metrics
from pipelines.job.few_labels import SmallestKeys, add_last_key
from pipelines.job.finish import finish
from pipelines.job.items import Group, Hashed
from pipelines.job.labels import resolve
from pipelines.job.packing import pack, unpack
from pipelines.job.plan import Plan
from pipelines.job.shards import shard_of, write_shard
from pipelines.job.vocabulary import Decoding, add_vocabulary
from pipelines.job.writing import refuses_full_disk

# These take some three megabytes.
_HELD_ITEMS = 20_000
# A metric costs time: it is updated once for so many items.
_COUNTED_ITEMS = 1000
_LABELS, _KEYS = 'labels', 'keys'


def _listed(group: Group, plan: Plan) -> Iterator[tuple[str, Hashed]]:
    """Group -> (split, Hashed) for each item of the group."""
    listed = 0
    for item in plan.source.items(group):
        number = anchors.id_hash(item.id)
        yield plan.split_of(item.split, number), Hashed(number, item)
        listed += 1
        if listed % _COUNTED_ITEMS == 0:
            metrics.count('listed', _COUNTED_ITEMS)
    metrics.count('listed', listed % _COUNTED_ITEMS)


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
        self._held: dict[tuple[str, int], list[Hashed]] = {}
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
        self._held.setdefault((split, shard_of(hashed.hash, self._plan.shards)), []).append(hashed)
        self._keys.add(split, hashed)
        if hashed.item.label is not None:
            self._labels.add((split, hashed.item.label))
        self._count += 1
        if self._count == _HELD_ITEMS:
            yield from self._packed()

    def _packed(self) -> Iterator[tuple[tuple[str, int], bytes]]:
        for key, hashed in self._held.items():
            yield key, pack(hashed)
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
    """((split, shard), packed items) -> the counts of the written shard."""

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
        with refuses_full_disk(plan.options.output):
            written = write_shard(split, shard, unpack(packed), plan, resolved, self._threads)
        yield written


def build(pipeline: beam.Pipeline, plan: Plan, threads: int = 1) -> None:
    """Adds the whole job to a pipeline.

    Args:
      pipeline: the pipeline.
      plan: of the job.
      threads: number of threads of each worker that decode.
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
    written = shards | 'Write' >> beam.ParDo(_Write(plan, threads), pairs, vocabulary, last_key)
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
