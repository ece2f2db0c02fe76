"""The warm-up file: requests that TensorFlow Serving sends itself before it takes others.

Without it the first requests of a version wait until the graph has been optimized for them. Source:
tensorflow.org/tfx/serving/saved_model_warmup (at most 1,000 PredictionLogs, in assets.extra/).
"""

import io

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec
from trainer.serving import wire

FILE_NAME = 'tf_serving_warmup_requests'
_BATCH_SIZES = (1, 2, 8, 32)
# Steps of a made-up document or signal.
_STEPS = 300


def write_warmup(path: str, spec: SequenceSpec) -> None:
    """Writes requests of several batch sizes to `serving_default`.

    Args:
      path: of the file.
      spec: of what the model reads; the items are made up from it.
    """
    item = example_item(spec)
    with tf.io.TFRecordWriter(path) as writer:
        for size in _BATCH_SIZES:
            log = wire.PredictionLog()
            request = wire.make_request('', 'serving_default', {'data': [item] * size})
            log.predict_log.request.CopyFrom(request)
            writer.write(log.SerializeToString(deterministic=True))


def example_item(spec: SequenceSpec) -> bytes:
    """A raw item that the model can read: a gray picture, a text, an array of zeros."""
    if (side := spec.image_size) is not None:
        pixels = np.full([side, side, spec.colors], 128, np.uint8)
        return tf.io.encode_png(pixels).numpy()
    if spec.kind == 'text':
        return b'a' * _STEPS
    file = io.BytesIO()
    np.save(file, np.zeros([_STEPS, spec.channels], spec.dtype))
    return file.getvalue()
