"""Training batches through a tf.data service: other processes read and parse, the order stays.

This process plans a stretch of steps: which records, which anchors. The plan is part of a dataset
that consists of TensorFlow ops alone, so that any worker of the service can execute it. Workers
return elements as they are ready; this process puts them in order. It reads the elements of a lost
worker itself.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from trainer.data.batches import Rows, SplitInput
from trainer.data.order import TrainingOrder

# Number of steps in one plan, and so in one dataset of the service: a few megabytes.
_STRETCH = 100
_BUFFER_BYTES = 1 << 16
_POSITION = 'position'


class ServiceBatches:
    """The elements of `SplitInput.training`, read by the workers of a service."""

    def __init__(
        self,
        split: SplitInput,
        order: TrainingOrder,
        *,
        first_step: int,
        parts: list[Rows],
        address: str,
    ) -> None:
        """Takes the arguments of `SplitInput.training`, and the dispatcher's address.

        Args:
          split: of the records, which the workers find under the same path.
          order: of the batches.
          first_step: the position of the first one.
          parts: rows of each local replica.
          address: 'grpc://host:port'.
        """
        self._split, self._order, self._first, self._parts = split, order, first_step, parts
        self._address = address

    def __iter__(self) -> Iterator[dict[str, tf.Tensor]]:
        """Elements without end, in order.

        Raises:
          LonghaulError: if the service cannot be reached, or a record is damaged.
        """
        stretches = (self._stretch(first) for first in itertools.count(self._first, _STRETCH))
        ahead = next(stretches)
        for following in stretches:
            # The next stretch's workers begin while this one's elements are used.
            yield from ahead
            ahead = following

    def _stretch(self, first: int) -> Iterator[dict[str, tf.Tensor]]:
        """The elements of _STRETCH steps; its workers begin at once."""
        count = _STRETCH * len(self._parts)
        plan = [self._planned(first, element) for element in range(count)]
        dataset = self._carried_out(plan)
        served = dataset.apply(
            tf.data.experimental.service.distribute(
                tf.data.experimental.service.ShardingPolicy.DYNAMIC, self._address
            )
        )
        try:
            found = iter(served)
        except tf.errors.OpError as error:
            raise self._refusal(error) from error
        return self._in_order(found, plan)

    def _in_order(self, found: Iterator, plan: list[tuple]) -> Iterator[dict[str, tf.Tensor]]:
        early: dict[int, dict[str, tf.Tensor]] = {}
        for wanted in range(len(plan)):
            while wanted not in early:
                element = self._next(found)
                if element is None:
                    # The element was lost with its worker.
                    element = next(iter(self._carried_out([plan[wanted]])))
                    element[_POSITION] = tf.constant(wanted, tf.int64)
                early[int(element.pop(_POSITION))] = element
            yield early.pop(wanted)

    def _next(self, found: Iterator) -> dict[str, tf.Tensor] | None:
        try:
            return next(found, None)
        except tf.errors.OpError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: tf.errors.OpError) -> LonghaulError:
        reason = first_line(error)
        if isinstance(error, tf.errors.DataLossError):
            return LonghaulError(
                f'DataConfig.records={self._split.folder}: damaged record ({reason}); write the '
                'records again with python -m pipelines.main --overwrite'
            )
        return LonghaulError(
            f'DataConfig.service={self._address}: {reason}; check that python -m '
            'tools.data_service runs there and that its workers see the records under the same '
            'path, or set DataConfig.service=None to read in this process'
        )

    def _planned(self, first: int, element: int) -> tuple:
        """What a worker needs to make an element."""
        step, part = divmod(element, len(self._parts))
        step += first
        batch = self._order.at(step)
        rows, counted = self._parts[part].of(batch)
        epoch = self._order.epoch_of(step)
        entries = self._split.reader.entries[rows]
        drawn = self._split.drawn(entries, batch.segments, epoch=epoch, step=step)
        places = entries['shard'].astype(np.int32), entries['offset'].astype(np.int64)
        return (element, *places, rows.astype(np.int32), counted, batch.segments, epoch, *drawn)

    def _carried_out(self, plan: list[tuple]) -> tf.data.Dataset:
        """A dataset of parsed elements, of TensorFlow ops alone."""
        columns = [np.stack(column) for column in zip(*plan, strict=True)]
        numbers = columns[0].astype(np.int64)
        paths = tf.constant(self._split.reader.paths)
        options = tf.data.Options()
        options.autotune.enabled = False

        def element(
            position: tf.Tensor, shards: tf.Tensor, offsets: tf.Tensor, *rest: Any
        ) -> dict[str, tf.Tensor]:
            """Reads and parses one element."""
            rows, counted, segments, epoch, *drawn = rest
            serialized = _read(tf.gather(paths, shards), offsets)
            whole = (rows, counted, tf.cast(segments, tf.int32), tf.cast(epoch, tf.int32), *drawn)
            return {_POSITION: position, **self._split.parse(serialized, *whole)}

        dataset = tf.data.Dataset.from_tensor_slices((numbers, *columns[1:]))
        return dataset.map(element, num_parallel_calls=2, deterministic=True).with_options(options)


def _read(paths: tf.Tensor, offsets: tf.Tensor) -> tf.Tensor:
    """The records that begin at `offsets` int64 [B] of `paths` string [B], checksums checked."""

    def record(path: tf.Tensor, offset: tf.Tensor) -> tf.data.Dataset:
        """One record."""
        variant = tf.raw_ops.TFRecordDatasetV2(
            filenames=[path],
            compression_type='',
            buffer_size=tf.constant(_BUFFER_BYTES, tf.int64),
            byte_offsets=[offset],
        )
        return tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string)).take(1)

    rows = tf.data.Dataset.from_tensor_slices((paths, offsets)).flat_map(record)
    return rows.batch(paths.shape[0], drop_remainder=True).get_single_element()
