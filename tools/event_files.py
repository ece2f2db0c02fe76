"""What TensorBoard reads of a run: its event files."""

from collections.abc import Callable
from pathlib import Path

import numpy as np


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
