"""Refuses rows, labels and anchors of one's own that make no sense."""

from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from trainer.data.drawing import Drawing


def checked_rows(spec: SequenceSpec, inputs: Any, lengths: Any) -> list[np.ndarray]:
    """The rows, each cut to its length, as they are stored: [T_i, C] or [T_i] of the spec's dtype.

    Raises:
      LonghaulError: for a row of another shape or dtype, without a step, or with values that are
        not finite.
    """
    listed = inputs if isinstance(inputs, list | tuple) else np.asarray(inputs)
    if isinstance(listed, np.ndarray) and not listed.ndim or not len(listed):
        raise LonghaulError('inputs: no row is there; a list or an array of rows is needed')
    rows = [np.asarray(row) for row in listed]
    if lengths is not None:
        rows = [row[:n] for row, n in zip(rows, _checked_lengths(lengths, rows), strict=True)]
    return [_checked_row(spec, row, i) for i, row in enumerate(rows)]


def _checked_lengths(lengths: Any, rows: list[np.ndarray]) -> np.ndarray:
    found = whole_numbers('lengths', lengths, (len(rows),))
    for i, (n, row) in enumerate(zip(found, rows, strict=True)):
        if not 1 <= n <= len(row):
            raise LonghaulError(
                f'lengths[{i}]={n}: the row has {len(row)} steps; 1..{len(row)} is needed'
            )
    return found


def _checked_row(spec: SequenceSpec, row: np.ndarray, i: int) -> np.ndarray:
    shape = (len(row) if row.ndim else 0, *spec.step_shape)
    steps = spec.fixed_length
    if row.shape != shape or not len(row) or (steps is not None and len(row) != steps):
        wanted = ', '.join(map(str, ('T' if steps is None else steps, *spec.step_shape)))
        raise LonghaulError(
            f'inputs[{i}]: has the shape {list(row.shape)}; [{wanted}] with at least one step is '
            'needed'
        )
    stored = np.dtype(spec.dtype)
    fits = row.dtype.kind == 'f' if stored.kind == 'f' else row.dtype == stored
    if not fits:
        kind = 'floats' if stored.kind == 'f' else spec.dtype
        raise LonghaulError(f'inputs[{i}]: holds {row.dtype}; convert it to {kind}')
    with np.errstate(over='ignore'):
        row = row.astype(stored)
    if stored.kind == 'f' and not np.isfinite(row).all():
        raise LonghaulError(
            f'inputs[{i}]: has values that are not finite in float16; leave them out, or scale them'
        )
    if spec.vocabulary_size is not None and row.max() >= spec.vocabulary_size:
        raise LonghaulError(
            f'inputs[{i}]: has the id {row.max()}; ids below {spec.vocabulary_size} are needed'
        )
    return row


def checked_labels(labels: Any, rows: int, class_names: tuple[str, ...]) -> np.ndarray:
    """The labels, int32 [B]; -1 for each row if there are none.

    Raises:
      LonghaulError: for a label that is neither -1 nor a class.
    """
    if labels is None:
        return np.full([rows], -1, np.int32)
    found = whole_numbers('labels', labels, (rows,))
    bad = np.flatnonzero((found < -1) | (found >= len(class_names)))
    if len(bad):
        raise LonghaulError(
            f'labels[{bad[0]}]={found[bad[0]]}: there are {len(class_names)} classes; '
            f'0..{len(class_names) - 1} is needed, or -1 for no label'
        )
    return found.astype(np.int32)


def checked_anchors(
    drawing: Drawing, anchors: dict[str, Any], drawn: dict[str, np.ndarray], lengths: np.ndarray
) -> dict[str, np.ndarray]:
    """The caller's anchors, int32 [B, K] by name.

    Args:
      drawing: of the batch.
      anchors: by name.
      drawn: those that would be drawn, which stand in for names that are missing.
      lengths: int64 [B], T_i.

    Raises:
      LonghaulError: for an unknown name, and for an anchor without L_i steps on its side.
    """
    unknown = sorted(anchors.keys() - drawn.keys())
    if unknown:
        raise LonghaulError(f'anchors[{unknown[0]!r}]: is not known; name some of {sorted(drawn)}')
    if not drawing.objective.anchored:
        raise LonghaulError(
            'anchors: no loss is used at anchors; set a weight in ObjectiveConfig, or leave them '
            'out'
        )
    shape = (len(lengths), drawing.objective.anchors_per_sequence)
    found = {name: whole_numbers(name, value, shape) for name, value in anchors.items()}
    steps, total = drawing.row_steps(lengths)[:, np.newaxis], lengths[:, np.newaxis]
    r_anchors = found.get('r_anchors', drawn['r_anchors'])
    limits = {
        'r_anchors': (steps, total),
        'r_starts': (np.zeros_like(steps), r_anchors - steps),
        'p_anchors': (np.zeros_like(steps), np.maximum(total - steps - 1, 0)),
    }
    for name, (low, high) in limits.items():
        if name in found:
            _check_within(name, found[name], low, high, lengths=lengths)
    if 'r_anchors' in found and 'r_starts' not in found:
        # The starts that were drawn belong to other anchors.
        found['r_starts'] = np.minimum(drawn['r_starts'], r_anchors - steps)
    return {name: value.astype(np.int32) for name, value in found.items()}


def _check_within(
    name: str, found: np.ndarray, low: np.ndarray, high: np.ndarray, *, lengths: np.ndarray
) -> None:
    bad = np.argwhere((found < low) | (found > high))
    if len(bad):
        i, k = bad[0]
        raise LonghaulError(
            f'{name}[{i}, {k}]={found[i, k]}: the row has {lengths[i]} steps; '
            f'{low[i, 0]}..{np.broadcast_to(high, found.shape)[i, k]} is needed'
        )


def whole_numbers(name: str, values: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Integers of a shape, as int64.

    Raises:
      LonghaulError: for other numbers or another shape.
    """
    found = np.asarray(values)
    if found.dtype.kind not in 'iu' or found.shape != shape:
        raise LonghaulError(
            f'{name}: is {found.dtype} of shape {list(found.shape)}; whole numbers of shape '
            f'{list(shape)} are needed'
        )
    return found.astype(np.int64)
