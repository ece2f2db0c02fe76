"""Our messages against TensorFlow Serving's own stubs, both directions."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from trainer.serving import wire

# All that a signature of ours has, and some more.
DTYPES = sorted(wire._DTYPES)


@pytest.mark.parametrize('dtype', DTYPES)
@pytest.mark.parametrize('shape', [(), (0,), (3,), (2, 3, 1)])
def test_arrays_travel_both_ways(dtype, shape):
    values = (np.arange(np.prod(shape, dtype=int)) % 2 * 100 + 1).reshape(shape).astype(dtype)
    theirs = tf.make_ndarray(parsed(wire.to_tensor(values)))
    assert theirs.dtype == values.dtype
    np.testing.assert_array_equal(theirs, values)
    # In bytes, and in a list of values as TensorFlow Serving may answer.
    for proto in (tf.make_tensor_proto(values), spelt_out(values)):
        ours = wire.to_array(back(proto))
        assert ours.dtype == values.dtype
        np.testing.assert_array_equal(ours, values)


def parsed(message) -> tf.compat.v1.TensorShape:
    return type(tf.make_tensor_proto(0)).FromString(message.SerializeToString())


def back(proto):
    return wire._CLASSES['TensorProto'].FromString(proto.SerializeToString())


def spelt_out(values: np.ndarray):
    """One value after another in the field of its type."""
    proto = tf.make_tensor_proto(values)
    proto.ClearField('tensor_content')
    field = wire._DTYPES[values.dtype.name][1]
    flat = values.ravel()
    flat = flat.view(np.uint16) if values.dtype == np.float16 else flat
    proto.ClearField(field)
    getattr(proto, field).extend(flat.tolist())
    return proto


@pytest.mark.parametrize('items', [[], [b''], [b'\x00\xff', 'é'.encode()]])
def test_bytes_travel_both_ways(items):
    assert list(tf.make_ndarray(parsed(wire.to_tensor(items)))) == items
    assert list(wire.to_array(back(tf.make_tensor_proto(items, dtype=tf.string)))) == items


def test_a_value_that_is_the_same_to_the_end_is_sent_once():
    for sent, want in (([], [0, 0, 0]), ([5], [5, 5, 5]), ([1, 2], [1, 2, 2])):
        proto = tf.make_tensor_proto(np.zeros([3], np.float32))
        proto.ClearField('tensor_content')
        proto.ClearField('float_val')
        proto.float_val.extend(sent)
        np.testing.assert_array_equal(tf.make_ndarray(proto), want)
        np.testing.assert_array_equal(wire.to_array(back(proto)), want)
    proto = tf.make_tensor_proto([b'a', b'b', b'b'])
    del proto.string_val[2]
    assert list(wire.to_array(back(proto))) == [b'a', b'b', b'b']


@pytest.mark.parametrize(
    ('change', 'words'),
    [
        (lambda p: setattr(p, 'dtype', 99), 'DataType 99'),
        (lambda p: p.tensor_shape.dim.add(size=1 << 40), 'shape'),
        (lambda p: p.tensor_shape.dim.add(size=-1), 'shape'),
        (lambda p: setattr(p, 'tensor_content', b'123'), 'buffer'),
    ],
)
def test_a_tensor_that_makes_no_sense_is_refused(change, words):
    proto = tf.make_tensor_proto(np.zeros([2, 2], np.float32))
    change(proto)
    with pytest.raises(ValueError, match=words):
        wire.to_array(back(proto))


def test_what_is_not_sent_is_refused():
    with pytest.raises(ValueError, match='complex128'):
        wire.to_tensor(np.zeros([1], complex))


def test_a_request_is_what_the_server_reads():
    request = wire.make_request(
        'photos',
        'advance',
        {'lengths': np.array([2], np.int32), 'inputs': np.ones([1, 2, 3], np.uint8)},
        version=12,
        outputs=('h', 'c'),
    )
    found = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert found.model_spec.name == 'photos'
    assert found.model_spec.signature_name == 'advance'
    assert found.model_spec.version.value == 12
    assert list(found.output_filter) == ['h', 'c']
    assert set(found.inputs) == {'inputs', 'lengths'}
    np.testing.assert_array_equal(tf.make_ndarray(found.inputs['inputs']), np.ones([1, 2, 3]))
    latest = wire.make_request('photos', 's', {'data': [b'x']})
    found = predict_pb2.PredictRequest.FromString(latest.SerializeToString())
    assert not found.model_spec.HasField('version')
    assert found.inputs['data'].string_val == [b'x']


def test_a_response_is_read_as_the_server_means_it():
    response = predict_pb2.PredictResponse()
    response.model_spec.name, response.model_spec.version.value = 'photos', 3
    response.outputs['h'].CopyFrom(tf.make_tensor_proto(np.eye(2, dtype=np.float32)))
    response.outputs['name'].CopyFrom(tf.make_tensor_proto([b'cat', b'dog']))
    ours = wire.PredictResponse.FromString(response.SerializeToString())
    found = wire.outputs_of(ours)
    assert set(found) == {'h', 'name'}
    np.testing.assert_array_equal(found['h'], np.eye(2))
    assert list(found['name']) == [b'cat', b'dog']
    assert ours.model_spec.version.value == 3


def real(name: str) -> descriptor.Descriptor:
    """The stub's own message of one of ours."""
    request, log = predict_pb2.PredictRequest, prediction_log_pb2.PredictionLog
    known = {
        'PredictRequest': request.DESCRIPTOR,
        'PredictResponse': predict_pb2.PredictResponse.DESCRIPTOR,
        'PredictionLog': log.DESCRIPTOR,
        'PredictLog': log.DESCRIPTOR.fields_by_name['predict_log'].message_type,
        'ModelSpec': request.DESCRIPTOR.fields_by_name['model_spec'].message_type,
        'Entry': request.DESCRIPTOR.fields_by_name['inputs'].message_type,
        'TensorProto': type(tf.make_tensor_proto(0)).DESCRIPTOR,
        'TensorShapeProto': type(tf.TensorShape([]).as_proto()).DESCRIPTOR,
    }
    known['Dim'] = known['TensorShapeProto'].fields_by_name['dim'].message_type
    known['Version'] = known['ModelSpec'].fields_by_name['version'].message_type
    return known[name]


@pytest.mark.parametrize('name', sorted(wire._CLASSES))
def test_every_field_has_its_number_and_type(name):
    theirs = real(name)
    for field in wire._CLASSES[name].DESCRIPTOR.fields:
        found = theirs.fields_by_name[field.name]
        assert field.number == found.number
        assert field.is_repeated == found.is_repeated
        # An enum travels as an int32 does.
        kinds = descriptor.FieldDescriptor
        kind = kinds.TYPE_INT32 if found.type == kinds.TYPE_ENUM else found.type
        assert field.type == kind, field.name
