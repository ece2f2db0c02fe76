"""A plain loop that does the same work as the job, as anybody would write it."""

import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# As the job's defaults.
_SEGMENT_STEPS, _AUXILIARY_STEPS = 300, 600


def write(folder: Path, output: str, side: int | None) -> None:
    """Writes one TFRecord file, one input after the other; the same features as the job's.

    Args:
      folder: of the input, with a folder for each class.
      output: the file to write.
      side: that images are resized to; None: the files are documents.
    """
    import tensorflow as tf

    with tf.io.TFRecordWriter(output) as writer:
        for example_id, label, steps in _read(folder, side):
            writer.write(_example(tf, example_id, label, steps))


def _read(folder: Path, side: int | None) -> Iterator[tuple[str, int, Any]]:
    """Gives id, label and steps ([T, 3] or bytes) of all files."""
    for label, name in enumerate(sorted(os.listdir(folder))):
        for file in sorted(os.listdir(folder / name)):
            path = f'{folder}/{name}/{file}'
            yield f'{name}/{file}', label, _pixels(path, side) if side else _bytes(path)


def _pixels(path: str, side: int) -> Any:
    import numpy as np
    from PIL import Image

    with Image.open(path) as opened:
        image = opened.convert('RGB')
    if image.size != (side, side):
        # Pillow widens its filter when it makes an image smaller, as TensorFlow's antialias does.
        image = image.resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape([side * side, 3])


def _bytes(path: str) -> bytes:
    with open(path, 'rb') as file:
        return file.read()


def _example(tf: Any, example_id: str, label: int, steps: Any) -> bytes:
    """Makes a serialized example with four sets of anchors, as the job does without flags."""
    length = len(steps)
    span = min(_AUXILIARY_STEPS, max(1, length // 2))
    first = (length - 1) % _SEGMENT_STEPS + 1
    ends = range(first, length + 1, _SEGMENT_STEPS)
    segments = [bytes(steps[max(end - _SEGMENT_STEPS, 0) : end]) for end in ends]
    r_anchors = [random.randint(span, length) for _ in range(4)]
    features = {
        'id': _feature(tf, [example_id.encode()]),
        'label': _feature(tf, [label]),
        'length': _feature(tf, [length]),
        'segments': _feature(tf, segments),
        'r_anchors': _feature(tf, r_anchors),
        'r_starts': _feature(tf, [random.randint(0, anchor - span) for anchor in r_anchors]),
        'p_anchors': _feature(tf, [random.randrange(max(1, length - span)) for _ in range(4)]),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString()


def _feature(tf: Any, values: list) -> Any:
    if isinstance(values[0], bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
