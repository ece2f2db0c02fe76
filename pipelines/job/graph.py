"""The Beam graph: list -> split -> shard -> (count characters ->) write -> finish."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.transforms.window import GlobalWindows

from pipelines.format import anchors
from pipelines.job import metrics
from pipelines.job.encoder import set_up_worker
from pipelines.job.few_labels import SmallestKeys, add_last_key
from pipelines.job.finish import finish
from pipelines.job.items import Group, Hashed
from pipelines.job.labels import resolve
from pipelines.job.packing import pack, unpack
from pipelines.job.plan import Plan
from pipelines.job.shards import shard_of, write_shard
from pipelines.job.vocabulary import add_vocabulary
from pipelines.job.writing import refuses_full_disk

# Some three megabytes.
_HELD_ITEMS = 20_000
# So that counting takes no time.
_COUNTED_ITEMS = 1000
_LABELS, _KEYS = 'labels', 'keys'


class _List(beam.DoFn):
    """Group -> (split, Hashed) of each of its items."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(self, group: Group) -> Iterable[tuple[str, Hashed]]:
        """Lists a group."""
        listed = 0
        for item in self._plan.source.items(group):
            number = anchors.id_hash(item.id)
            yield self._plan.split_of(item.split, number), Hashed(number, item)
            listed += 1
            if listed % _COUNTED_ITEMS == 0:
                metrics.count('listed', _COUNTED_ITEMS)
        metrics.count('listed', listed % _COUNTED_ITEMS)


class _Pack(beam.DoFn):
    """(split, Hashed) -> ((split, shard), many of them packed).

    Beside them (split, label) as `labels`, and the smallest keys of `few_labels` as `keys`.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def start_bundle(self) -> None:
        """Begins with nothing."""
        self._held: dict[tuple[str, int], list[Hashed]] = {}
        self._labels: set[tuple[str, str]] = set()
        self._keys = SmallestKeys(self._plan)
        self._count = 0

    def process(self, keyed: tuple[str, Hashed]) -> Iterable[tuple[tuple[str, int], bytes]]:
        """Keeps an item, until there are many."""
        split, hashed = keyed
        self._held.setdefault((split, shard_of(hashed.hash, self._plan.shards)), []).append(hashed)
        self._keys.add(split, hashed)
        if hashed.item.label is not None:
            self._labels.add((split, hashed.item.label))
        self._count += 1
        if self._count == _HELD_ITEMS:
            yield from self._packed()

    def _packed(self) -> Iterable[tuple[tuple[str, int], bytes]]:
        for key, hashed in self._held.items():
            yield key, pack(hashed)
        self._held, self._count = {}, 0

    def finish_bundle(self) -> Iterable[Any]:
        """What is left, all labels, and the keys."""
        window = GlobalWindows.windowed_value
        for element in self._packed():
            yield window(element)
        for pair in self._labels:
            yield TaggedOutput(_LABELS, window(pair))
        if smallest := self._keys.smallest():
            yield TaggedOutput(_KEYS, window(smallest))


class _ListPacked(_Pack):
    """Group -> what `_Pack` makes of its items: a runner's way from one to the next costs more."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self._list = _List(plan)

    def process(self, group: Group) -> Iterable[tuple[tuple[str, int], bytes]]:
        """Lists a group."""
        for keyed in self._list.process(group):
            yield from super().process(keyed)


class _Write(beam.DoFn):
    """((split, shard), packed items) -> what was written."""

    def __init__(self, plan: Plan, threads: int) -> None:
        self._plan, self._threads = plan, threads

    def setup(self) -> None:
        """Leaves the other cores to the other workers."""
        set_up_worker()

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
        resolved = resolve(labels, self._class_names())
        with refuses_full_disk(plan.options.output):
            written = write_shard(split, shard, unpack(packed), plan, resolved, self._threads)
        yield written

    def _class_names(self) -> tuple[str, ...] | None:
        return self._plan.source.class_names()


def build(pipeline: beam.Pipeline, plan: Plan, threads: int = 1) -> None:
    """Adds the whole job to a pipeline.

    Args:
      pipeline: to add to.
      plan: of the job.
      threads: that decode, in each worker.
    """
    groups = pipeline | 'Groups' >> beam.Create(plan.source.groups())
    if plan.options.limit is None:
        step, packing = _ListPacked(plan), groups
    else:
        step, packing = _Pack(plan), _smallest(groups, plan)
    packed = packing | 'Pack' >> beam.ParDo(step).with_outputs(_LABELS, _KEYS, main='items')
    labels = packed[_LABELS] | 'Distinct' >> beam.Distinct()
    keys = [(split, shard) for split in plan.splits for shard in range(plan.shards)]
    # Every shard is written, an empty one too: one name too few would look like a loss.
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
                resolve(labels, plan.source.class_names()).names,
            ),
            beam.pvalue.AsList(written),
            pairs,
            vocabulary,
        )
    )


def _smallest(groups: beam.PCollection, plan: Plan) -> beam.PCollection:
    """(split, Hashed) of the items that --limit keeps."""
    return (
        groups
        | 'List' >> beam.ParDo(_List(plan))
        | 'Smallest' >> beam.combiners.Top.SmallestPerKey(plan.options.limit, key=lambda h: h.hash)
        | 'Kept' >> beam.FlatMapTuple(lambda split, kept: [(split, h) for h in kept])
    )


def _finish(shards: list[dict[str, Any]], plan: Plan, names: tuple[str, ...]) -> str:
    with refuses_full_disk(plan.options.output):
        return finish(shards, plan, names)
