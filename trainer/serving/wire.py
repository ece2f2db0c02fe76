"""TensorFlow Serving's messages, without TensorFlow and without its generated stubs.

The stubs (tensorflow-serving-api) import TensorFlow: 13 s and 2 GB for a client that sends bytes.
A client needs only a few fields of the public protocol; a test compares them with the stubs.
Source: tensorflow_serving/apis/{model,predict,prediction_log}.proto and
tensorflow/core/framework/{tensor,tensor_shape}.proto.
"""

import math
from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_SERVING, _CORE = 'tensorflow.serving', 'tensorflow'
# Package -> message -> field -> (number, type); '*' before a type: repeated.
_MESSAGES: dict[str, dict[str, dict[str, tuple[int, str]]]] = {
    _CORE: {
        'Dim': {'size': (1, 'int64')},
        'TensorShapeProto': {'dim': (2, '*tensorflow.Dim'), 'unknown_rank': (3, 'bool')},
        'TensorProto': {
            'dtype': (1, 'int32'),
            'tensor_shape': (2, 'tensorflow.TensorShapeProto'),
            'tensor_content': (4, 'bytes'),
            'float_val': (5, '*float'),
            'double_val': (6, '*double'),
            'int_val': (7, '*int32'),
            'string_val': (8, '*bytes'),
            'int64_val': (10, '*int64'),
            'bool_val': (11, '*bool'),
            'half_val': (13, '*int32'),
        },
    },
    _SERVING: {
        'Version': {'value': (1, 'int64')},
        'ModelSpec': {
            'name': (1, 'string'),
            'version': (2, 'tensorflow.serving.Version'),
            'signature_name': (3, 'string'),
            'version_label': (4, 'string'),
        },
        'Entry': {'key': (1, 'string'), 'value': (2, 'tensorflow.TensorProto')},
        'PredictRequest': {
            'model_spec': (1, 'tensorflow.serving.ModelSpec'),
            # A map travels as its entries.
            'inputs': (2, '*tensorflow.serving.Entry'),
            'output_filter': (3, '*string'),
        },
        'PredictResponse': {
            'outputs': (1, '*tensorflow.serving.Entry'),
            'model_spec': (2, 'tensorflow.serving.ModelSpec'),
        },
        'PredictLog': {'request': (1, 'tensorflow.serving.PredictRequest')},
        'PredictionLog': {'predict_log': (6, 'tensorflow.serving.PredictLog')},
    },
}
# numpy dtype -> (DataType of types.proto, field that holds values where they are not in bytes).
_DTYPES = {
    'float32': (1, 'float_val'),
    'float64': (2, 'double_val'),
    'int32': (3, 'int_val'),
    'uint8': (4, 'int_val'),
    'int16': (5, 'int_val'),
    'int8': (6, 'int_val'),
    'int64': (9, 'int64_val'),
    'bool': (10, 'bool_val'),
    'uint16': (17, 'int_val'),
    'float16': (19, 'half_val'),
}
_NAMES = {number: name for name, (number, _) in _DTYPES.items()}
_STRING = 7
# More values than any answer has. Without a limit, a shape of a few bytes could take all memory.
_MAX_VALUES = 1 << 28


def _classes() -> dict[str, type]:
    """The messages' classes, from a pool of their own: TensorFlow may have registered its own."""
    pool = descriptor_pool.DescriptorPool()
    for package, messages in _MESSAGES.items():
        file = descriptor_pb2.FileDescriptorProto(
            name=f'longhaul/{package}.proto', package=package, syntax='proto3'
        )
        if package == _SERVING:
            file.dependency.append(f'longhaul/{_CORE}.proto')
        for name, fields in messages.items():
            message = file.message_type.add(name=name)
            for field, (number, kind) in fields.items():
                _add_field(message, field, number, kind)
        pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f'{package}.{name}'))
        for package, messages in _MESSAGES.items()
        for name in messages
    }


def _add_field(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    label = _Field.LABEL_REPEATED if kind.startswith('*') else _Field.LABEL_OPTIONAL
    kind = kind.removeprefix('*')
    field = message.field.add(name=name, number=number, label=label)
    if '.' in kind:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f'.{kind}'
    else:
        field.type = getattr(_Field, f'TYPE_{kind.upper()}')


_CLASSES = _classes()
PredictRequest, PredictResponse = _CLASSES['PredictRequest'], _CLASSES['PredictResponse']
PredictionLog = _CLASSES['PredictionLog']


def to_tensor(array: np.ndarray | list[bytes]) -> Any:
    """An array of numbers, or a list of byte strings, as a TensorProto.

    Raises:
      ValueError: for a dtype that is not sent.
    """
    tensor = _CLASSES['TensorProto']()
    if isinstance(array, list):
        tensor.dtype = _STRING
        tensor.tensor_shape.dim.add(size=len(array))
        tensor.string_val.extend(array)
        return tensor
    if array.dtype.name not in _DTYPES:
        raise ValueError(f'dtype {array.dtype}: {", ".join(_DTYPES)} are known')
    tensor.dtype = _DTYPES[array.dtype.name][0]
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    tensor.tensor_content = array.astype(array.dtype.newbyteorder('<')).tobytes()
    return tensor


def to_array(tensor: Any) -> np.ndarray:
    """The inverse: strings become an array of bytes objects.

    Raises:
      ValueError: for a dtype that is not known, or values that do not fill the shape.
    """
    shape = [d.size for d in tensor.tensor_shape.dim]
    size = math.prod(shape)
    if any(s < 0 for s in shape) or size > _MAX_VALUES:
        raise ValueError(f'a tensor of shape {shape}: 0 to {_MAX_VALUES} values are allowed')
    if tensor.dtype == _STRING:
        values = np.array([*tensor.string_val, None], object)[:-1]
        return _filled(values, size, b'').reshape(shape)
    if tensor.dtype not in _NAMES:
        raise ValueError(f'DataType {tensor.dtype} is not known')
    dtype = np.dtype(_NAMES[tensor.dtype]).newbyteorder('<')
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, dtype).reshape(shape)
    values = np.array(getattr(tensor, _DTYPES[dtype.name][1]))
    if dtype == np.float16:  # Its bits, each in an integer.
        values = values.astype(np.uint16).view(np.float16)
    return _filled(values.astype(dtype), size, 0).reshape(shape)


def _filled(values: np.ndarray, size: int, empty: Any) -> np.ndarray:
    """Fills values up to `size`: repeats the last one, which may be sent once, or `empty`."""
    if values.size >= size:
        return values
    last = values[-1] if values.size else empty
    return np.concatenate([values, np.full(size - values.size, last, values.dtype)])


def make_request(
    model: str,
    signature: str,
    inputs: dict[str, np.ndarray | list[bytes]],
    *,
    version: int | None = None,
    outputs: tuple[str, ...] = (),
) -> Any:
    """A PredictRequest.

    Args:
      model: name on the server.
      signature: of the model.
      inputs: by name.
      version: of the model; None: the server's latest.
      outputs: those wanted; empty: all.
    """
    request = PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, signature
    if version is not None:
        request.model_spec.version.value = version
    for name in sorted(inputs):
        request.inputs.add(key=name).value.CopyFrom(to_tensor(inputs[name]))
    request.output_filter.extend(outputs)
    return request


def outputs_of(response: Any) -> dict[str, np.ndarray]:
    """The arrays of a PredictResponse, by name."""
    return {entry.key: to_array(entry.value) for entry in response.outputs}
