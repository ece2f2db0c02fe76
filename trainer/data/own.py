"""Sequences of one's own, from numpy or tf.data: no records, the same batches.

A batch made here is the dict that `SplitInput.parse` gives: rows are padded in front, anchors and
distances are drawn from (seed, step, row).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from pipelines.format.anchors import mix
from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from pipelines.format.scales import ValueScales
from pipelines.format.spec import SequenceSpec, signal_spec, text_spec
from trainer.config import ObjectiveConfig
from trainer.data import own_checks
from trainer.data.drawing import Drawing
from trainer.data.order import bucket_segments

# Streams of `mix`, for the rows of training and of evaluation.
_TRAINING, _EVALUATION = 109, 110
_MOST_SEGMENT_STEPS = 300


@dataclasses.dataclass(frozen=True)
class OwnData:
    """What sequences of one's own are, see `describe`.

    Attributes:
      info: as records have it; it names no shards.
      scales: the loss of the best constant guess, for relative losses; None: not known.
    """

    info: RecordsInfo
    scales: ValueScales | None = None

    def steps_per_epoch(self, batch_size: int) -> int:
        """Training steps of an epoch, rows that fill no batch left out; 0 if all are."""
        return self.info.counts['splits'].get('train', 0) // batch_size

    def batch(
        self,
        objective: ObjectiveConfig,
        inputs: Any,
        labels: Any = None,
        *,
        lengths: Any = None,
        seed: int = 0,
        step: int | None = None,
        anchors: dict[str, Any] | None = None,
    ) -> dict[str, np.ndarray]:
        """Pads rows, and draws what the losses need.

        Args:
          objective: whose anchors and distances are drawn.
          inputs: B rows [T_i, C] of values, or [T_i] of bytes: a list, or an array padded at its
            end, with `lengths`.
          labels: int [B], -1 for none; None: no row has a label.
          lengths: int [B], T_i; None: all steps of each row count.
          seed: of the run.
          step: global step; None: an evaluation, whose anchors are always the same.
          anchors: int [B, K] by name ('r_anchors', 'r_starts', 'p_anchors'), in place of those that
            are drawn.

        Returns:
          The dict that `LonghaulTask.to_batch` takes.

        Raises:
          LonghaulError: for rows, labels or anchors that make no sense; it names the first one.
        """
        spec = self.info.spec
        rows = own_checks.checked_rows(spec, own_checks.listed('inputs', inputs), lengths)
        sizes = np.array([len(row) for row in rows], np.int64)
        marks = own_checks.checked_labels(labels, len(rows), self.info.class_names)
        drawing = Drawing(spec, objective, seed)
        stream, now = (_EVALUATION, 0) if step is None else (_TRAINING, step)
        hashes = mix(seed, stream, now, np.arange(len(rows), dtype=np.uint64))
        names = ('r_anchors', 'r_starts', 'p_anchors')
        drawn = dict(zip(names, drawing.anchors(hashes, sizes, 0), strict=True))
        if anchors is not None:
            drawn |= own_checks.checked_anchors(drawing, anchors, drawn, sizes)
        total = self._padded(int(sizes.max()))
        back, ahead = drawing.distances(len(rows), total=total, step=step)
        return {
            'rows': np.arange(len(rows), dtype=np.int32),
            'inputs': _in_front(rows, total),
            'lengths': sizes.astype(np.int32),
            'labels': marks,
            'counted': np.ones([len(rows)], bool),
            'fed': drawing.fed(hashes, step),
            'r_distances': back,
            'p_distances': ahead,
            **drawn,
        }

    def _padded(self, longest: int) -> int:
        """T of a batch; few different ones, since each is traced once."""
        if self.info.spec.fixed_length is not None:
            return self.info.spec.fixed_length
        steps = self.info.segment_steps
        return int(bucket_segments(np.array([-(-longest // steps)]))[0]) * steps


def _in_front(rows: list[np.ndarray], total: int) -> np.ndarray:
    """Rows [T_i, ...] as one array [B, total, ...]: zeros, then the steps."""
    found = np.zeros([len(rows), total, *rows[0].shape[1:]], rows[0].dtype)
    for place, row in zip(found, rows, strict=True):
        place[total - len(row) :] = row
    return found


def describe(
    sequences: Iterable[Any] | np.ndarray,
    class_names: Sequence[str],
    *,
    segment_steps: int | None = None,
) -> OwnData:
    """Describes sequences of one's own by those to train on, or by a fair sample of them.

    Args:
      sequences: rows [T_i, C] of values, uint8 (value / 255 is read) or floats (kept as float16:
        bring them to about -1..1), or rows [T_i] of bytes. Their number is that of the training
        split for `RunConfig.train_epochs`.
      class_names: by label.
      segment_steps: documents and signals are padded to multiples of it; None: the longest row, 300
        at most.

    Raises:
      LonghaulError: if the rows are not of one kind.
    """
    names = own_checks.checked_names(class_names)
    rows = own_checks.listed('sequences', sequences)
    spec = _spec_of(rows[0])
    rows = own_checks.checked_rows(spec, rows, name='sequences')
    steps = min(max(map(len, rows)), _MOST_SEGMENT_STEPS)
    if segment_steps is not None:
        (steps,) = own_checks.whole_numbers('segment_steps', [segment_steps], (1,)).tolist()
        if steps < 1:
            raise LonghaulError(f'segment_steps={steps}: at least 1 is needed')
    info = info_of(spec, names, segment_steps=steps, examples=len(rows))
    return OwnData(info, _scales(np.concatenate(rows), spec))


def info_of(
    spec: SequenceSpec,
    class_names: tuple[str, ...],
    *,
    segment_steps: int = _MOST_SEGMENT_STEPS,
    examples: int = 0,
) -> RecordsInfo:
    """What records would say of sequences that lie in none."""
    return RecordsInfo(
        spec=spec,
        segment_steps=segment_steps,
        auxiliary_steps=1,
        anchors_per_sequence=1,
        anchor_sets=1,
        seed=0,
        class_names=class_names,
        shards={},
        counts={'splits': {'train': examples}, 'classes': {'train': {}}},
        lengths={},
    )


def _spec_of(first: np.ndarray) -> SequenceSpec:
    if first.ndim == 1 and first.dtype == np.uint8:
        return text_spec()
    if first.ndim == 2 and (first.dtype == np.uint8 or first.dtype.kind == 'f'):
        stored = 'uint8' if first.dtype == np.uint8 else 'float16'
        return signal_spec(dtype=stored, channels=first.shape[1])
    raise LonghaulError(
        f'sequences: the first one is {first.dtype} of shape {first.shape}; uint8 or floats of '
        'shape [T, C], or bytes as uint8 of shape [T], are needed'
    )


def _scales(steps: np.ndarray, spec: SequenceSpec) -> ValueScales:
    """The scales of all steps [T, C], or bytes [T]."""
    entropy = None
    if spec.dtype == 'uint8':
        columns = steps.reshape(len(steps), -1).T
        entropy = tuple(_entropy(np.bincount(column, minlength=256)) for column in columns)
    if spec.kind == 'text':
        return ValueScales(None, entropy)
    values = steps.astype(np.float64) / (255 if spec.dtype == 'uint8' else 1)
    variance, mean = values.var(axis=0).tolist(), values.mean(axis=0).tolist()
    return ValueScales(tuple(variance), entropy, tuple(mean))


def _entropy(counts: np.ndarray) -> float:
    """In nats, of values that were seen so often."""
    shares = counts[counts > 0] / counts.sum()
    return max(0.0, float(-(shares * np.log(shares)).sum()))
