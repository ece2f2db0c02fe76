"""Deals batches out to the replicas of a strategy.

The datasets of `tf.distribute` are not used: they read ahead to each device through iterators with
a tuner that no option turns off. Deleting such an iterator can take a minute (seen with TensorFlow
2.20: the destructor waits for the tuner's next round). Reading ahead to a device would gain little,
since a batch is small beside its step.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import tensorflow as tf

from trainer.data.batches import Rows


def local_parts(strategy: tf.distribute.Strategy) -> list[Rows]:
    """The rows of the global batch that each replica of this worker reads."""
    ids: list[int] = []

    def note(context: tf.distribute.experimental.ValueContext) -> tf.Tensor:
        ids.append(context.replica_id_in_sync_group)
        return tf.constant(0)

    strategy.experimental_distribute_values_from_function(note)
    return [Rows(i, strategy.num_replicas_in_sync) for i in ids]


class ReplicaBatches:
    """The batches of this worker's replicas, from a dataset with one element per replica in turn.

    Iterating yields the inputs of `strategy.run`; every iteration starts from the beginning.
    """

    def __init__(
        self, strategy: tf.distribute.Strategy, dataset: Iterable[dict[str, tf.Tensor]]
    ) -> None:
        self._strategy, self._dataset = strategy, dataset
        self._count = len(local_parts(strategy))

    def __iter__(self) -> Iterator[Any]:
        elements = iter(self._dataset)
        for parts in zip(*[elements] * self._count, strict=True):
            rest = iter(parts)
            yield self._strategy.experimental_distribute_values_from_function(
                lambda _, rest=rest: next(rest)
            )
