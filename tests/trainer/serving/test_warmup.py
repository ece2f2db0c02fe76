"""The warm-up file, parsed back with TensorFlow Serving's stubs and sent."""

import exports
import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2, prediction_service_pb2_grpc

from pipelines.format.spec import signal_spec
from trainer.serving import warmup


def requests_of(path: str) -> list:
    logs = [
        prediction_log_pb2.PredictionLog.FromString(record.numpy())
        for record in tf.data.TFRecordDataset(path)
    ]
    assert {log.WhichOneof('log_type') for log in logs} == {'predict_log'}
    return [log.predict_log.request for log in logs]


@pytest.mark.parametrize('kind', exports.KINDS)
def test_the_file_warms_the_model_up(exported, server, kind):
    """Each request is one that the server answers, with every item readable."""
    path = f'{exported(kind)}/assets.extra/tf_serving_warmup_requests'
    requests = requests_of(path)
    # TensorFlow Serving takes no more than 1,000.
    assert 1 < len(requests) <= 1000
    sizes = [request.inputs['data'].tensor_shape.dim[0].size for request in requests]
    assert len(set(sizes)) == len(sizes) > 1
    assert 1 in sizes
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(server.grpc))
    for request, size in zip(requests, sizes, strict=True):
        assert request.model_spec.signature_name == 'serving_default'
        assert tf.make_ndarray(request.inputs['data']).shape == (size,)
        request.model_spec.name = kind
        found = stub.Predict(request, timeout=60).outputs
        assert list(tf.make_ndarray(found['readable'])) == [True] * size


@pytest.mark.parametrize('dtype', ['uint8', 'float16'])
def test_a_made_up_signal_is_an_array_that_fits(dtype, tmp_path):
    import numpy as np

    path = tmp_path / 'x.npy'
    path.write_bytes(warmup.example_item(signal_spec(dtype=dtype, channels=3)))
    array = np.load(path)
    assert array.shape == (300, 3)
    assert array.dtype == dtype
