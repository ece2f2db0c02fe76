"""Refuses rows, labels and anchors of one's own that make no sense."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.spec import SequenceSpec
from pipelines.format.steps import as_array, checked_steps
from trainer.data.drawing import Drawing


def listed(name: str, rows: Any) -> list[np.ndarray]:
    """The rows of a list, an array or a tensor; whatever yields rows will do.

    Args:
      name: of the rows, for the refusal.
      rows: B of them, not checked any further.

    Raises:
      LonghaulError: if there is none, or one that is no array.
    """
    try:
        given = as_array(name, rows) if hasattr(rows, '__array__') else rows
        found = [as_array(f'{name}[{i}]', row) for i, row in enumerate(given)]
    except TypeError as error:
        raise LonghaulError(
            f'{name}: no row is there ({first_line(error)}); a list or an array of rows is needed'
        ) from error
    if not found:
        raise LonghaulError(f'{name}: no row is there; a list or an array of rows is needed')
    return found


def checked_rows(
    spec: SequenceSpec, rows: list[np.ndarray], lengths: Any = None, *, name: str = 'inputs'
) -> list[np.ndarray]:
    """The rows, each cut to its length, as they are stored: [T_i, C] or [T_i] of the spec's dtype.

    Args:
      spec: of the sequences.
      rows: from `listed`.
      lengths: int [B]; None: all steps of each row count.
      name: of the rows, for the refusal.

    Raises:
      LonghaulError: for a row of another shape or dtype, without a step, or with values that are
        not finite.
    """
    if lengths is not None:
        rows = [row[:n] for row, n in zip(rows, _checked_lengths(lengths, rows), strict=True)]
    found = [checked_steps(spec, row, name=f'{name}[{i}]') for i, row in enumerate(rows)]
    steps = spec.fixed_length
    bad = [i for i, row in enumerate(found) if steps is not None and len(row) != steps]
    if bad:
        raise LonghaulError(
            f'{name}[{bad[0]}]: has {len(found[bad[0]])} steps; {steps} are needed, as in the '
            'records'
        )
    return found


def checked_names(class_names: Any) -> tuple[str, ...]:
    """The class names, by label.

    Raises:
      LonghaulError: unless they are different texts.
    """
    several = isinstance(class_names, Sequence | np.ndarray) and not isinstance(class_names, str)
    found = tuple(class_names) if several else ()
    texts = all(isinstance(name, str) for name in found)
    if not found or not texts or len(set(found)) < len(found):
        raise LonghaulError(
            f'class_names={class_names!r}: a list of different names, one for each label, is needed'
        )
    return tuple(map(str, found))


def _checked_lengths(lengths: Any, rows: list[np.ndarray]) -> np.ndarray:
    found = whole_numbers('lengths', lengths, (len(rows),))
    for i, (n, row) in enumerate(zip(found, rows, strict=True)):
        steps = len(row) if row.ndim else 0
        if not 1 <= n <= steps:
            raise LonghaulError(
                f'lengths[{i}]={n}: the row has {steps} steps; 1..{steps} is needed'
            )
    return found


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
    if not isinstance(anchors, Mapping):
        raise LonghaulError(f'anchors: is {type(anchors).__name__}; arrays by name are needed')
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
    found = as_array(name, values)
    if found.dtype.kind not in 'iu' or found.shape != shape:
        raise LonghaulError(
            f'{name}: is {found.dtype} of shape {list(found.shape)}; whole numbers of shape '
            f'{list(shape)} are needed'
        )
    return found.astype(np.int64)
