"""Batches of records, read by index: explicit rows per replica, no shuffle buffer, no state.

`tf.data` calls back into `RecordReader`, reads ahead and parses. Everything random (order, anchors,
which decoder inputs are fed) is a function of (seed, epoch, step, id). So a run can start at step k
without reading the batches before it.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format import examples
from pipelines.format.index import RecordReader
from pipelines.format.records import RecordsInfo
from trainer.config import ObjectiveConfig
from trainer.data.drawing import Drawing
from trainer.data.labelled_order import LabelledOrder
from trainer.data.order import StepRows, TrainingOrder, bucket_segments, evaluation_batches


def _features(serialized: bytes) -> Any:
    """The features of one example, by name."""
    return tf.train.Example.FromString(serialized).features.feature


@dataclasses.dataclass(frozen=True)
class Rows:
    """Which rows of a global batch a replica reads: part `index` of `count` equal parts."""

    index: int
    count: int

    def of(self, batch: StepRows) -> tuple[np.ndarray, np.ndarray]:
        """Index rows int64 and counted bool, each [B / count]."""
        size = len(batch.rows) // self.count
        part = slice(self.index * size, (self.index + 1) * size)
        return batch.rows[part], batch.counted[part]


class SplitInput:
    """One split of a data set, as datasets of parsed batches."""

    def __init__(
        self, folder: str, split: str, info: RecordsInfo, objective: ObjectiveConfig, *, seed: int
    ) -> None:
        self.folder, self.info, self._seed = folder, info, seed
        self._drawing = Drawing(info.spec, objective, seed)
        self.reader = RecordReader(folder, split, info)
        wanted = (seed, self._drawing.anchored_steps, objective.anchors_per_sequence)
        self._stored = (
            objective.anchored
            and objective.anchor_placement == 'uniform'
            and (info.seed, info.auxiliary_steps, info.anchors_per_sequence) == wanted
        )

    @property
    def segments(self) -> np.ndarray:
        """Segments of each example, int64 [N]."""
        return self.reader.entries['segments'].astype(np.int64)

    def order(self, batch_size: int, *, labelled_share: float | None = None) -> TrainingOrder:
        """The training order of this split.

        Args:
          batch_size: the global one.
          labelled_share: see `DataConfig`; if set, all records are read once for their labels.
        """
        place: dict[str, Any] = {
            'id_hashes': self.reader.entries['id_hash'],
            'segments': self.segments,
            'batch_size': batch_size,
            'seed': self._seed,
        }
        if labelled_share is None:
            return TrainingOrder(**place)
        return LabelledOrder(**place, labelled=self._labelled(), share=labelled_share)

    def _labelled(self) -> np.ndarray:
        """Which examples have labels, bool [N]; read from the records: the index has no labels."""
        rows = range(len(self.reader))
        return np.array(
            [_features(self.reader.read(i))['label'].int64_list.value[0] >= 0 for i in rows]
        )

    def training(
        self, order: TrainingOrder, *, first_step: int, parts: list[Rows]
    ) -> tf.data.Dataset:
        """Batches from a global step on, without end.

        Args:
          order: from `order`.
          first_step: the global step (from 0) of the first batch.
          parts: the rows of each local replica; elements come in this order, step after step.

        Returns:
          A dataset of dicts, see `parse`.
        """

        def load(element: int) -> tuple:
            step, part = divmod(element, len(parts))
            step += first_step
            rows, counted = parts[part].of(batch := order.at(step))
            epoch = order.epoch_of(step)
            return self._load(rows, counted, batch.segments, epoch=epoch, step=step)

        return self._dataset(tf.data.Dataset.range(np.iinfo(np.int64).max), load)

    def evaluation(self, *, batch_size: int, parts: list[Rows]) -> tf.data.Dataset:
        """Every example once, with anchor set 0; see `training`."""
        batches = list(evaluation_batches(self.segments, batch_size))

        def load(element: int) -> tuple:
            batch, part = divmod(element, len(parts))
            rows, counted = parts[part].of(batches[batch])
            return self._load(rows, counted, batches[batch].segments, epoch=0, step=None)

        return self._dataset(tf.data.Dataset.range(len(batches) * len(parts)), load)

    def sample(self, size: int) -> dict[str, np.ndarray]:
        """A few examples as one parsed batch: the first ones, or documents of middle length."""
        rows = np.argsort(self.segments, kind='stable')
        begin = 0 if self.info.spec.fixed_length else max(0, (len(rows) - size) // 2)
        return self.read(rows[begin : begin + size])

    def read(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """These rows of the index as one parsed batch, as an evaluation would have them."""
        segments = int(bucket_segments(self.segments[rows]).max())

        def load(element: int) -> tuple:
            del element
            return self._load(rows, np.ones(len(rows), bool), segments, epoch=0, step=None)

        dataset = self._dataset(tf.data.Dataset.range(1), load)
        return next(iter(dataset.as_numpy_iterator()))

    def ids(self, rows: np.ndarray) -> list[str]:
        """The ids of these rows of the index, read from the records.

        A byte that is not valid UTF-8 is written as an escape, such as \\xe9.
        """
        found = []
        for serialized in self.reader.read_batch(rows):
            name = _features(serialized)['id']
            found.append(name.bytes_list.value[0].decode('utf-8', 'backslashreplace'))
        return found

    def anchors(self, epoch: int, *, most: int = 10_000) -> dict[str, np.ndarray]:
        """The anchors of the first `most` examples in an epoch, int32 [N, K], by name."""
        drawn = self._draw_anchors(self.reader.entries[:most], epoch)
        return dict(zip(('r_anchors', 'r_starts', 'p_anchors'), drawn, strict=True))

    def _load(
        self, rows: np.ndarray, counted: np.ndarray, segments: int, *, epoch: int, step: int | None
    ) -> tuple:
        serialized = np.array(self.reader.read_batch(rows), object)
        entries = self.reader.entries[rows]
        batch = (serialized, rows.astype(np.int32), counted)
        drawn = self.drawn(entries, segments, epoch=epoch, step=step)
        return *batch, np.int32(segments), np.int32(epoch), *drawn

    def drawn(
        self, entries: np.ndarray, segments: int, *, epoch: int, step: int | None
    ) -> list[np.ndarray]:
        """The random values of a step, in the order that `parse` takes them.

        r_anchors, r_starts, p_anchors, r_distances, p_distances, fed. Anchors are 0 if `parse`
        takes the stored ones.

        Args:
          entries: of the index, [B].
          segments: that the batch is padded to.
          epoch: chooses the anchor set.
          step: determines the distances and which decoder inputs are fed. None stands for an
            evaluation: the distances are the middles of their stretches, and inputs are fed at the
            rate that training ends with.
        """
        stored = self._stored and epoch < self.info.anchor_sets
        none = self._drawing.no_anchors(len(entries))
        anchors_of = none if stored else self._draw_anchors(entries, epoch)
        total = self.info.spec.fixed_length or int(segments) * self.info.segment_steps
        distances = self._drawing.distances(len(entries), total=total, step=step)
        return [*anchors_of, *distances, self._drawing.fed(entries['id_hash'], step)]

    def _draw_anchors(self, entries: np.ndarray, epoch: int) -> list[np.ndarray]:
        lengths = entries['length'].astype(np.int64)
        return self._drawing.anchors(entries['id_hash'], lengths, epoch)

    def _dataset(self, elements: tf.data.Dataset, load: Callable[[int], tuple]) -> tf.data.Dataset:
        types = (tf.string, tf.int32, tf.bool, *(tf.int32,) * 7, tf.bool)
        dataset = elements.map(
            lambda e: self.parse(*tf.numpy_function(load, [e], types)),
            num_parallel_calls=2,
            deterministic=True,
        )
        options = tf.data.Options()
        options.threading.private_threadpool_size = 2
        # All values are fixed, and with the tuner on, deleting an iterator can take a minute.
        options.autotune.enabled = False
        return dataset.prefetch(2).with_options(options)

    def parse(
        self,
        serialized: tf.Tensor,
        rows: tf.Tensor,
        counted: tf.Tensor,
        segments: tf.Tensor,
        epoch: tf.Tensor,
        r_anchors: tf.Tensor,
        r_starts: tf.Tensor,
        p_anchors: tf.Tensor,
        r_distances: tf.Tensor,
        p_distances: tf.Tensor,
        fed: tf.Tensor,
    ) -> dict[str, tf.Tensor]:
        """Parses serialized records [B] into the dict that `LonghaulTask.to_batch` takes.

        Anchors are the stored ones in the epochs that have them. The dict has no strings, since no
        accelerator can hold them: it has `rows`, which `ids` turns into ids.
        """
        total = self.info.spec.fixed_length
        padded = segments * self.info.segment_steps if total is None else total
        parsed = examples.parse_examples(
            tf.ensure_shape(serialized, [None]), self.info, padded_steps=padded
        )
        drawn = {'r_anchors': r_anchors, 'r_starts': r_starts, 'p_anchors': p_anchors}
        if self._stored:
            e = tf.minimum(epoch, self.info.anchor_sets - 1)
            drawn = {
                k: tf.cond(
                    epoch < self.info.anchor_sets, lambda k=k: parsed[k][:, e], lambda v=v: v
                )
                for k, v in drawn.items()
            }
        return {
            'rows': tf.ensure_shape(rows, [None]),
            'inputs': parsed['inputs'],
            'lengths': parsed['length'],
            'labels': parsed['label'],
            'counted': tf.ensure_shape(counted, [None]),
            'fed': tf.ensure_shape(fed, [None, None, None]),
            'r_distances': tf.ensure_shape(r_distances, [None, None]),
            'p_distances': tf.ensure_shape(p_distances, [None, None]),
            **{k: tf.ensure_shape(v, [None, None]) for k, v in drawn.items()},
        }
