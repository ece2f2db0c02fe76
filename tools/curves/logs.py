"""What a run has logged: its event files and its evaluations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from trainer.run_dir import small_files


def read_values(
    folder: Path, *, wanted: Callable[[str], bool] = lambda tag: True
) -> dict[str, dict[int, np.ndarray]]:
    """Reads all event files of a folder, as tag -> {step: value}.

    Of a step that was written twice the last value counts.

    Args:
      folder: of the event files.
      wanted: whether the values of a tag are kept.
    """
    import tensorflow as tf

    found: dict[str, dict[int, np.ndarray]] = {}
    for path in sorted(folder.glob('events.out.tfevents.*')):
        for record in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(record.numpy())
            for value in event.summary.value:
                if wanted(value.tag):
                    found.setdefault(value.tag, {})[event.step] = tf.make_ndarray(value.tensor)
    return found


def read_memory(model_dir: Path) -> dict[str, list[Any]] | None:
    """Reads the memory curve of the best weights: of the test split if it was evaluated.

    Returns:
      JSON values by name; None where no evaluation has a curve.

    Raises:
      LonghaulError: if an evaluation is damaged.
    """
    for split in ('test', 'validation'):
        path, without = model_dir / f'evaluation-{split}.json', 'and evaluate the split again'
        if not path.exists():
            continue
        text = small_files.read_text(str(path), without=without)
        found = small_files.parse(text, str(path), 'evaluation-*.json', without=without)
        if curve := found.get('memory_curve'):
            return curve
    return None
