"""The order of training where each batch has a set share of labelled examples."""

import numpy as np

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError
from trainer.data.order import StepRows, TrainingOrder

# Streams of `anchors.mix`.
_LABELLED, _UNLABELLED = 109, 110


def labelled_rows(share: float, *, batch_size: int, labelled: int, unlabelled: int) -> int:
    """How many rows of a batch have labels: round(share * batch_size).

    Args:
      share: `DataConfig.labelled_share`.
      batch_size: the global one.
      labelled: examples of the training split with a label.
      unlabelled: those without.

    Raises:
      LonghaulError: if such batches cannot be made.
    """
    said, rows = f'DataConfig.labelled_share={share}', round(share * batch_size)
    if rows == 0:
        raise LonghaulError(
            f'{said}: of DataConfig.batch_size={batch_size} that is no row, and the classifier '
            f'would learn nothing; at least {1 / batch_size:.2g} is needed'
        )
    if not labelled:
        raise LonghaulError(
            f'{said}: none of the {unlabelled} examples of the training split has a label; use '
            'records with labels, or train the auxiliary losses alone with RunConfig.train_steps=0'
        )
    if rows < batch_size and not unlabelled:
        raise LonghaulError(
            f'{said}: all {labelled} examples of the training split have labels; leave it out, or '
            'run the job with --labels=N, which keeps N of them'
        )
    return rows


class LabelledOrder(TrainingOrder):
    """As `TrainingOrder`, with `labelled_rows` labelled examples in each batch.

    The labelled examples form one endless sequence, the unlabelled examples another. A sequence
    repeats all its examples, each time in a new order, so that all of them are used equally often.
    A batch takes the next rows of both sequences. An epoch has as many steps as without a share,
    however often it repeats examples.

    If sequences differ in length, an epoch's labelled rows are sorted by buckets, and so are its
    unlabelled rows. Batches pair the shortest with the shortest, and each batch is padded to its
    longest row. The share is exact in all batches. If a batch takes more labelled examples than
    there are of one length, it has some of them more than once.
    """

    def __init__(
        self,
        *,
        id_hashes: np.ndarray,
        segments: np.ndarray,
        labelled: np.ndarray,
        share: float,
        batch_size: int,
        seed: int,
    ) -> None:
        """Takes the split's index, and which of its examples have labels.

        Args:
          id_hashes: uint64 [N].
          segments: int [N], segments of each example.
          labelled: bool [N].
          share: of labelled rows in a batch.
          batch_size: the global one.
          seed: of the run.

        Raises:
          LonghaulError: if the split does not fill one batch, or has no such examples.
        """
        super().__init__(id_hashes=id_hashes, segments=segments, batch_size=batch_size, seed=seed)
        self._labelled, self._unlabelled = np.flatnonzero(labelled), np.flatnonzero(~labelled)
        self._rows = labelled_rows(
            share,
            batch_size=batch_size,
            labelled=len(self._labelled),
            unlabelled=len(self._unlabelled),
        )

    def _epoch(self, epoch: int) -> list[StepRows]:
        """All batches of an epoch."""
        parts = [self._drawn(_LABELLED, self._labelled, self._rows, epoch)]
        if self._rows < self._batch:
            parts.append(
                self._drawn(_UNLABELLED, self._unlabelled, self._batch - self._rows, epoch)
            )
        rows = np.concatenate(parts, axis=1)
        return self._shuffled(list(zip(rows, self._buckets[rows].max(axis=1), strict=True)), epoch)

    def _drawn(self, stream: int, rows: np.ndarray, each: int, epoch: int) -> np.ndarray:
        """An epoch's part of an endless sequence, int64 [steps, each]; the shortest rows first."""
        count = self.steps_per_epoch * each
        first, skipped = divmod(epoch * count, len(rows))
        cycles = np.arange(first, first - (-(skipped + count) // len(rows)), dtype=np.uint64)
        keys = anchors.mix(self._seed, stream, cycles[:, np.newaxis], self._hashes[rows])
        found = rows[np.argsort(keys, axis=1, kind='stable')].reshape(-1)
        found = found[skipped : skipped + count]
        by_length = np.argsort(self._buckets[found], kind='stable')
        return found[by_length].reshape(-1, each)
