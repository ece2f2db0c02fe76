"""The predictions of an evaluation for each example: predictions-SPLIT.jsonl."""

import json

import numpy as np
import tensorflow as tf

from trainer.devices import workers


def gather(
    strategy: tf.distribute.Strategy, batches: list[dict[str, np.ndarray]]
) -> dict[str, np.ndarray]:
    """All workers' predictions, every example once.

    Args:
      strategy: of the run; all workers must call this.
      batches: of this worker, in the form of `LonghaulTask.validation_step`.

    Returns:
      'row' int32 [N], 'label' int32 [N] and 'probabilities' [N, classes] of the split's examples.
    """
    columns = {k: np.concatenate([batch[k] for batch in batches]) for k in batches[0]}
    columns = {k: workers.gather(strategy, values) for k, values in columns.items()}
    counted = columns.pop('counted')
    return {k: values[counted] for k, values in columns.items()}


def lines(columns: dict[str, np.ndarray], ids: list[str], class_names: tuple[str, ...]) -> str:
    """One JSON line per example, sorted by id; `ids` of the rows of `columns`, see `gather`."""
    rows = []
    for name, label, probabilities in zip(
        ids, columns['label'], columns['probabilities'], strict=True
    ):
        best = int(probabilities.argmax())
        row = {
            'id': name,
            'label': class_names[label] if label >= 0 else None,
            'predicted': class_names[best] if class_names else None,
            'probability': round(float(probabilities[best]), 6),
        }
        rows.append(row)
    rows.sort(key=lambda row: str(row['id']))
    return ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
