"""The Beam graph: list -> split -> shard -> (count characters ->) write -> finish."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam

from pipelines.format import anchors
from pipelines.job.encoder import set_up_worker
from pipelines.job.finish import finish
from pipelines.job.items import Group, Hashed
from pipelines.job.labels import resolve
from pipelines.job.plan import Plan
from pipelines.job.shards import shard_of, write_shard
from pipelines.job.vocabulary import add_vocabulary
from pipelines.job.writing import refuses_full_disk


class _List(beam.DoFn):
    """Group -> (split, Hashed) of each of its items."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def process(self, group: Group) -> Iterable[tuple[str, Hashed]]:
        """Lists a group."""
        for item in self._plan.source.items(group):
            number = anchors.id_hash(item.id)
            yield self._plan.split_of(item.split, number), Hashed(number, item)


class _Write(beam.DoFn):
    """((split, shard), items) -> what was written."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def setup(self) -> None:
        """Leaves the other cores to the other workers."""
        set_up_worker()

    def process(
        self,
        keyed: tuple[tuple[str, int], Iterable[Hashed | None]],
        labels: list[tuple[str, str]],
        vocabulary: str | None,
    ) -> Iterable[dict[str, Any]]:
        """Writes a shard."""
        (split, shard), items = keyed
        hashed = [h for h in items if h is not None]
        resolved = resolve(labels, self._plan.source.class_names())
        plan = self._plan.resolved(vocabulary)
        with refuses_full_disk(plan.options.output):
            written = write_shard(split, shard, hashed, plan, resolved)
        yield written


def _label_pairs(keyed: tuple[str, Hashed]) -> Iterable[tuple[str, str]]:
    split, hashed = keyed
    if hashed.item.label is not None:
        yield split, hashed.item.label


def build(pipeline: beam.Pipeline, plan: Plan) -> None:
    """Adds the whole job to a pipeline."""
    items = (
        pipeline | 'Groups' >> beam.Create(plan.source.groups()) | 'List' >> beam.ParDo(_List(plan))
    )
    if plan.options.limit is not None:
        items = (
            items
            | 'Smallest'
            >> beam.combiners.Top.SmallestPerKey(plan.options.limit, key=lambda h: h.hash)
            | 'Kept' >> beam.FlatMapTuple(lambda split, kept: [(split, h) for h in kept])
        )
    labels = items | 'Labels' >> beam.FlatMap(_label_pairs) | 'Distinct' >> beam.Distinct()
    keys = [(split, shard) for split in plan.splits for shard in range(plan.shards)]
    # Every shard is written, an empty one too: one name too few would look like a loss.
    all_keys = pipeline | 'Shards' >> beam.Create([(key, None) for key in keys])
    shards = (
        (items | 'Assign' >> beam.Map(_assign, plan.shards), all_keys)
        | 'Together' >> beam.Flatten()
        | 'Group' >> beam.GroupByKey()
    )
    pairs = beam.pvalue.AsList(labels)
    vocabulary = beam.pvalue.AsSingleton(add_vocabulary(pipeline, shards, pairs, plan))
    written = shards | 'Write' >> beam.ParDo(_Write(plan), pairs, vocabulary)
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


def _finish(shards: list[dict[str, Any]], plan: Plan, names: tuple[str, ...]) -> str:
    with refuses_full_disk(plan.options.output):
        return finish(shards, plan, names)


def _assign(keyed: tuple[str, Hashed], shards: int) -> tuple[tuple[str, int], Hashed]:
    split, hashed = keyed
    return (split, shard_of(hashed.hash, shards)), hashed
