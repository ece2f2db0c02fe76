"""One run in a process of its own: the job, or a plain loop that does the same work.

    python -m tools.benchmark.jobs.child '{"what": "job", "flags": ["--source=...", ...]}'
    python -m tools.benchmark.jobs.child '{"what": "plain", "folder": ..., "output": ..., ...}'

The last line that it prints is a JSON object: seconds of the imports and of the work, and the
processor's seconds of the work.
"""

import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SEGMENT_STEPS = 300


def _job(asked: dict[str, Any]) -> dict[str, float]:
    """What `python -m pipelines.main` does, in its order."""
    begun = time.perf_counter()
    from pipelines import main

    imported, used = time.perf_counter(), time.process_time()
    code = main.launcher.main(asked['flags'])
    if code:
        sys.exit(code)
    return _told(begun, imported, used)


def _told(begun: float, imported: float, used: float) -> dict[str, float]:
    return {
        'imports': imported - begun,
        'work': time.perf_counter() - imported,
        'cpu': time.process_time() - used,
    }


def _plain(asked: dict[str, Any]) -> dict[str, float]:
    """One file after the other, as anybody would write it; the same features as the job's."""
    begun = time.perf_counter()
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    import tensorflow as tf

    if asked['side']:
        import PIL.Image  # noqa: F401 - imports are timed apart from the work

    imported, used = time.perf_counter(), time.process_time()
    with tf.io.TFRecordWriter(asked['output']) as writer:
        for example_id, label, steps in _read(Path(asked['folder']), asked['side']):
            writer.write(_example(tf, example_id, label, steps))
    return _told(begun, imported, used)


def _read(folder: Path, side: int | None) -> Iterator[tuple[str, int, Any]]:
    """(id, label, steps [T, 3] or bytes) of all files."""
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
    """Four sets of anchors, as the job's default."""
    length = len(steps)
    span = min(600, max(1, length // 2))
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


if __name__ == '__main__':
    request = json.loads(sys.argv[1])
    found = _job(request) if request['what'] == 'job' else _plain(request)
    print(json.dumps(found))
