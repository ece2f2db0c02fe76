"""The predictions of an evaluation for each example: predictions-SPLIT.jsonl."""

import json

import numpy as np
import tensorflow as tf

from trainer.devices import workers

# Classes of each example that are written.
_TOP = 5


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
    """One JSON line per example, sorted by id; `ids` of the rows of `columns`, see `gather`.

    `top`: the five most probable classes at most, [name, probability] each, the best first.
    """
    rows = []
    for name, label, probabilities in zip(
        ids, columns['label'], columns['probabilities'], strict=True
    ):
        # Stable: of equal ones the first is the best, as for argmax.
        best = np.argsort(-probabilities, kind='stable')[:_TOP]
        sure = [round(float(probabilities[i]), 6) for i in best]
        top = [[class_names[i], p] for i, p in zip(best, sure, strict=True) if class_names]
        row = {
            'id': name,
            'label': class_names[label] if label >= 0 else None,
            'predicted': class_names[best[0]] if class_names else None,
            'probability': sure[0],
            'top': top,
        }
        rows.append(row)
    rows.sort(key=lambda row: str(row['id']))
    return ''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows)
