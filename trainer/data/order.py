"""Which examples make up which training step: a pure function of (seed, epoch, step).

Nothing is shuffled in memory and nothing needs to be checkpointed: any step's batch is computed
from the index alone, so that a resumed run, two replicas and two workers see the same batches.
Sequences of different length are batched by buckets of segment counts, each with one static shape.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError

# Streams of `anchors.mix`, so that the orders of examples and of batches are independent.
_EXAMPLES, _BATCHES = 101, 102


def bucket_segments(segments: np.ndarray) -> np.ndarray:
    """Rounds segment counts up to 1, 2, 3, 4, 6, 8, 12, 16, ...: at most a third is padding.

    Few sizes mean few traced graphs; int64 [N] -> int64 [N].
    """
    powers = 1 << np.arange(int(segments.max(initial=1)).bit_length() + 1, dtype=np.int64)
    bounds = np.union1d(powers, 3 * powers)
    return bounds[np.searchsorted(bounds, segments)]


@dataclasses.dataclass(frozen=True)
class StepRows:
    """One step's global batch: `rows` int64 [B] of the index, padded to `segments` segments.

    `counted` bool [B]: False for rows that only fill up a last evaluation batch.
    """

    rows: np.ndarray
    segments: int
    counted: np.ndarray


class TrainingOrder:
    """The endless training batches of a split, epoch after epoch."""

    def __init__(
        self, *, id_hashes: np.ndarray, segments: np.ndarray, batch_size: int, seed: int
    ) -> None:
        """Takes the split's index.

        Args:
          id_hashes: uint64 [N].
          segments: int [N], segments of each example.
          batch_size: the global one.
          seed: of the run.

        Raises:
          LonghaulError: if the split does not fill one batch.
        """
        if len(id_hashes) < batch_size:
            raise LonghaulError(
                f'DataConfig.batch_size={batch_size}: the training split has only '
                f'{len(id_hashes)} examples; at most that many fit. Lower it with '
                f'--gin_param="DataConfig.batch_size=..."'
            )
        self._hashes, self._batch, self._seed = id_hashes, batch_size, seed
        self._buckets = bucket_segments(segments)
        self.steps_per_epoch = len(id_hashes) // batch_size
        self._cached: tuple[int, list[StepRows]] | None = None

    def epoch_of(self, step: int) -> int:
        """The epoch (from 0) that a global step (from 0) belongs to."""
        return step // self.steps_per_epoch

    def at(self, step: int) -> StepRows:
        """The batch of a global step (from 0)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        cached = self._cached
        if cached is None or cached[0] != epoch:
            self._cached = cached = (epoch, self._epoch(epoch))
        return cached[1][position]

    def _epoch(self, epoch: int) -> list[StepRows]:
        """All batches of an epoch.

        Rows that do not fill a batch of their bucket join the next longer bucket. Of the longest
        bucket, fewer than `batch_size` rows are left out, different ones in each epoch.
        """
        order = np.argsort(anchors.mix(self._seed, _EXAMPLES, epoch, self._hashes), kind='stable')
        batches, carried = [], np.zeros([0], np.int64)
        for bucket in np.unique(self._buckets):
            rows = np.concatenate([carried, order[self._buckets[order] == bucket]])
            whole = len(rows) // self._batch * self._batch
            batches += [(part, bucket) for part in rows[:whole].reshape(-1, self._batch)]
            carried = rows[whole:]
        return self._shuffled(batches, epoch)

    def _shuffled(self, batches: list[tuple[np.ndarray, int]], epoch: int) -> list[StepRows]:
        """Shuffles an epoch's batches, (rows int64 [B], segments) each, across all lengths."""
        numbers = np.arange(len(batches), dtype=np.uint64)
        shuffled = np.argsort(anchors.mix(self._seed, _BATCHES, epoch, numbers), kind='stable')
        counted = np.ones([self._batch], bool)
        return [StepRows(batches[i][0], int(batches[i][1]), counted) for i in shuffled]


def evaluation_batches(segments: np.ndarray, batch_size: int) -> Iterator[StepRows]:
    """Every example once, shortest first; uncounted rows fill up a bucket's last batch."""
    buckets = bucket_segments(segments)
    for bucket in np.unique(buckets):
        rows = np.flatnonzero(buckets == bucket)
        for begin in range(0, len(rows), batch_size):
            part = rows[begin : begin + batch_size]
            missing = batch_size - len(part)
            counted = np.arange(batch_size) < len(part)
            yield StepRows(np.append(part, np.full(missing, part[0])), int(bucket), counted)
