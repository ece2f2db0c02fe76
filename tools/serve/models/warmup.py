"""Requests that a version is sent before it takes others."""

import os

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from pipelines.format.errors import LonghaulError
from tools.serve.models.loaded import LoadedModel
from tools.serve.tensors import to_arrays

# TensorFlow Serving's own limit.
_MOST = 1000


def warm_up(model: LoadedModel, folder: str) -> int:
    """Replays assets.extra/tf_serving_warmup_requests, if the version has that file.

    Args:
      model: that was loaded from the folder.
      folder: of the version.

    Returns:
      How many requests were replayed.

    Raises:
      LonghaulError: if the file is damaged.
      Refusal: if the model does not answer one of them.
    """
    path = os.path.join(folder, 'assets.extra', 'tf_serving_warmup_requests')
    if not os.path.exists(path):
        return 0
    done = 0
    for data in tf.data.TFRecordDataset(path).as_numpy_iterator():
        if done == _MOST:
            raise LonghaulError(f'{path}: more than {_MOST} requests; leave some out')
        request = prediction_log_pb2.PredictionLog.FromString(data).predict_log.request
        signature = request.model_spec.signature_name or 'serving_default'
        inputs, wanted = to_arrays(request.inputs), tuple(request.output_filter)
        model.check(signature, inputs, wanted)
        model.run(signature, inputs, wanted)
        done += 1
    return done
