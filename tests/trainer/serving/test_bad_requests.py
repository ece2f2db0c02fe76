"""Bad requests and files: each is refused in words that help, and the next good one is right.

Over gRPC and REST as TensorFlow Serving would be asked, by signatures in TensorFlow itself, and as
files by the tools.
"""

import base64
import json
import urllib.error
import urllib.request

import exports
import grpc
import hostile
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from typed import typed

from tools.predict import command
from tools.predict.__main__ import main as predict
from tools.predict.model import ExportedModel
from trainer.serving import decoding

U = exports.UNITS
INVALID, MISSING = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND


def zeros(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def state(rows=2, units=U, **changes):
    return {'c': zeros(rows, units), 'h': zeros(rows, units)} | changes


def chunk(rows=2, steps=3, lengths=None, dtype=np.uint16):
    lengths = np.full([rows], steps, np.int32) if lengths is None else lengths
    return {'inputs': zeros(rows, steps, dtype=dtype), 'lengths': np.array(lengths, np.int32)}


def i32(value):
    return np.array(value, np.int32)


# model, signature, inputs, code, words of the message.
GRPC = {
    'no such model': ('nobody', '', {'data': [b'a']}, MISSING, 'Servable not found'),
    'no such version': ('bytes@8', '', {'data': [b'a']}, MISSING, 'Specific(bytes, 8)'),
    'no such signature': (
        'bytes', 'predict', {'data': [b'a']}, grpc.StatusCode.FAILED_PRECONDITION, '"predict" not',
    ),
    'a transformer streams': (
        'transformer', 'start', {'batch_size': i32(1)},
        grpc.StatusCode.FAILED_PRECONDITION, '"start" not found',
    ),
    'a GRU recalls': ('bytes', 'recall', {}, grpc.StatusCode.FAILED_PRECONDITION, '"recall" not'),
    'no input': ('bytes', '', {}, INVALID, 'Missing but required: {data}'),
    'another input': ('bytes', '', {'date': [b'a']}, INVALID, 'Sent extra: {date}'),
    'one input too many': ('bytes', '', {'data': [b'a'], 'x': [b'a']}, INVALID, 'extra: {x}'),
    'another output': ('bytes>no', '', {'data': [b'a']}, INVALID, 'alias not found'),
    'numbers for bytes': ('image', '', {'data': zeros(2)}, INVALID, 'arg[data] to be string'),
    'bytes for numbers': ('bytes', 'start', {'batch_size': [b'1']}, INVALID, 'to be int32'),
    'a scalar for a batch': ('image', '', {'data': np.array(b'a', object)}, INVALID, 'shape [?]'),
    'a matrix of items': ('bytes', '', {'data': np.array([[b'a']])}, INVALID, 'shape [?]'),
    'wider numbers': (
        'characters', 'tokens', chunk(dtype=np.int64), INVALID, 'arg[inputs] to be uint16',
    ),
    'floats for pixels': (
        'image', 'tokens', {'inputs': zeros(1, 2, 3), 'lengths': i32([2])}, INVALID, 'to be uint8',
    ),
    'an axis too many': (
        'characters', 'tokens', chunk() | {'inputs': zeros(2, 3, 1, dtype=np.uint16)},
        INVALID, 'expected shape [?,?]',
    ),
    'an axis missing': (
        'image', 'tokens', {'inputs': zeros(2, 3, dtype=np.uint8), 'lengths': i32([2, 2])},
        INVALID, 'expected shape [?,?,3]',
    ),
    'another number of channels': (
        'signal', 'tokens', {'inputs': zeros(1, 5, 3, dtype=np.float16), 'lengths': i32([5])},
        INVALID, 'expected shape [?,?,2]',
    ),
    'lengths that are too long': (
        'bytes', 'tokens', chunk(lengths=[3, 4], dtype=np.uint8), INVALID, '0 to the steps of',
    ),
    'a giant length': (
        'bytes', 'tokens', chunk(lengths=[3, 2**31 - 1], dtype=np.uint8), INVALID, '0 to the steps',
    ),
    'a negative length': (
        'bytes', 'tokens', chunk(lengths=[-1, 3], dtype=np.uint8), INVALID, '0 to the steps of',
    ),
    'too few lengths': (
        'bytes', 'tokens', chunk(lengths=[3], dtype=np.uint8), INVALID, 'lengths: as many rows',
    ),
    'lengths of no row': (
        'transformer', 'tokens', chunk(lengths=3, dtype=np.uint8), INVALID, 'expected shape [?]',
    ),
    'an id beyond the vocabulary': (
        'characters', 'tokens', {'inputs': np.full([1, 2], 8, np.uint16), 'lengths': i32([2])},
        INVALID, 'inputs: ids 0 to 7 are allowed',
    ),
    'NaN in a signal': (
        'signal', 'tokens',
        {'inputs': np.full([1, 2, 2], np.nan, np.float16), 'lengths': i32([2])},
        INVALID, 'inputs: finite numbers',
    ),
    'attention over a whole book': (
        'transformer', 'tokens', chunk(rows=1, steps=100_000, dtype=np.uint8), INVALID, 'attention',
    ),
    'a long document for attention': (
        'transformer', '', {'data': [b'a' * 20_000, b'a']}, INVALID, 'fewer or shorter items',
    ),
    'a batch of nothing, but wide': (
        'transformer', '', {'data': [b'x' * (1 << 20)] + [b''] * 200},
        INVALID, 'values are allowed',
    ),
    'a batch of too many': (
        'bytes', '', {'data': [b''] * (decoding.MAX_BATCH + 1)}, INVALID, 'at most 65536 items',
    ),
    'a state of nothing': ('bytes', 'start', {'batch_size': i32(0)}, INVALID, '1 to 65536'),
    'a negative number of states': ('bytes', 'start', {'batch_size': i32(-3)}, INVALID, '1 to'),
    'a giant state': ('image', 'start', {'batch_size': i32(2**31 - 1)}, INVALID, '1 to 65536'),
    'many batch sizes': ('image', 'start', {'batch_size': i32([1, 2])}, INVALID, 'shape []'),
    'half a state': (
        'characters', 'classify', {'h': zeros(2, U)}, INVALID, 'Missing but required: {c}',
    ),
    'a state of another width': (
        'characters', 'classify', state(units=U + 1), INVALID, f'expected shape [?,{U}]',
    ),
    'a state without a batch': (
        'bytes', 'classify', {'h': zeros(U)}, INVALID, f'expected shape [?,{U}]',
    ),
    'parts of two states': (
        'characters', 'classify', state(c=zeros(3, U)), INVALID, 'as many rows',
    ),
    'a state that is no number': (
        'characters', 'classify', state(c=np.full([2, U], np.nan, np.float32)),
        INVALID, 'state: finite numbers',
    ),
    'a state that is infinite': (
        'bytes', 'advance', {'h': np.full([2, U], np.inf, np.float32)} | chunk(dtype=np.uint8),
        INVALID, 'state: finite numbers',
    ),
    "another batch's state": (
        'characters', 'advance', state(rows=3) | chunk(), INVALID, 'inputs: as many rows',
    ),
    'an id to go on with': (
        'characters', 'advance', state() | chunk() | {'inputs': np.full([2, 3], 99, np.uint16)},
        INVALID, 'ids 0 to 7',
    ),
    'recall from no id': (
        'characters', 'recall', state() | {'first': np.full([2], 8, np.uint16), 'steps': i32(3)},
        INVALID, 'first: ids 0 to 7',
    ),
    'recall nothing': (
        'characters', 'recall', state() | {'first': zeros(2, dtype=np.uint16), 'steps': i32(0)},
        INVALID, 'steps: 1 to 65536',
    ),
    'recall for ever': (
        'signal', 'recall',
        state() | {'first': zeros(2, 2, dtype=np.float16), 'steps': i32(2**31 - 1)},
        INVALID, 'steps: 1 to 65536, and 16777216 values',
    ),
    'recall for ever for nobody': (
        'characters', 'recall',
        state(rows=0) | {'first': zeros(0, dtype=np.uint16), 'steps': i32(2**31 - 1)},
        INVALID, 'steps: 1 to 65536',
    ),
    'no rows of many steps': (
        'transformer', 'tokens', chunk(rows=0, steps=2**30, dtype=np.uint8),
        INVALID, '65536 steps are allowed without any row',
    ),
    'to go on with no rows of many steps': (
        'characters', 'advance', state(rows=0) | chunk(rows=0, steps=2**30),
        INVALID, '65536 steps are allowed without any row',
    ),
    'recall of other rows': (
        'image', 'recall', state() | {'first': zeros(3, 3, dtype=np.uint8), 'steps': i32(2)},
        INVALID, 'first: as many rows',
    ),
}  # fmt: skip


@pytest.fixture(scope='module')
def stub(server):
    with grpc.insecure_channel(server.grpc, options=[('grpc.max_send_message_length', -1)]) as c:
        yield prediction_service_pb2_grpc.PredictionServiceStub(c)


def request_of(model, signature, inputs):
    request = predict_pb2.PredictRequest()
    name, _, wanted = model.partition('>')
    name, _, version = name.partition('@')
    request.model_spec.name, request.model_spec.signature_name = name, signature
    if version:
        request.model_spec.version.value = int(version)
    request.output_filter.extend([wanted] * bool(wanted))
    for key, value in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


@pytest.fixture(scope='module')
def good(stub):
    """Asks a model for what it can read; compares with what it said the first time."""
    said = {}

    def ask(kind):
        request = request_of(kind, '', {'data': exports.items_of(kind, 2)})
        found = tf.make_ndarray(stub.Predict(request).outputs['probabilities'])
        np.testing.assert_array_equal(found, said.setdefault(kind, found))
        assert found.sum(axis=1) == pytest.approx([1, 1], abs=1e-5)

    for kind in exports.KINDS:
        ask(kind)
    return ask


def test_there_are_enough_of_them():
    assert len(GRPC) + len(REST) + len(hostile.bad_images()) >= 90


@pytest.mark.parametrize('name', GRPC)
def test_over_grpc(stub, good, name):
    model, signature, inputs, code, words = GRPC[name]
    with pytest.raises(grpc.RpcError) as refused:
        stub.Predict(request_of(model, signature, inputs))
    assert refused.value.code() is code
    assert words in refused.value.details()
    kind = model.split('@')[0].split('>')[0]
    good(kind if kind in exports.KINDS else 'bytes')


# In TensorFlow itself, where a server in another language is not in between.
HERE = {
    name: (signature or 'serving_default', inputs, words, model)
    for name, (model, signature, inputs, code, words) in GRPC.items()
    if code is INVALID
    and words.startswith(('0 to', 'attention', 'steps', 'first', 'state', '1 to'))
}


@pytest.mark.parametrize('name', HERE)
def test_in_tensorflow(exported, good, name):
    signature, inputs, words, kind = HERE[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as refused:
        loaded(exported, kind).call(signature, **inputs)
    assert words in str(refused.value)
    good(kind)


_LOADED = {}


def loaded(exported, kind):
    if kind not in _LOADED:
        _LOADED[kind] = exports.Loaded(exported(kind))
    return _LOADED[kind]


def b64(data: bytes) -> dict[str, str]:
    return {'b64': base64.b64encode(data).decode()}


BYTES = '/v1/models/bytes:predict'
# path, body (bytes, or JSON; None: GET), code, words of the error.
REST = {
    'no such model': ('/v1/models/nobody:predict', {'inputs': ['a']}, 404, 'Servable not found'),
    'no such version': ('/v1/models/bytes/versions/8:predict', {'inputs': []}, 404, 'bytes, 8'),
    'no such status': ('/v1/models/nobody', None, 404, 'Could not find any versions'),
    'no such path': ('/v1/nothing', None, 400, 'Malformed request: GET /v1/nothing'),
    'another API': ('/v2/models', None, 404, 'Not Found'),
    'no such verb': ('/v1/models/bytes:predikt', {}, 400, 'Malformed request'),
    'predict by GET': (BYTES, None, 400, 'Malformed request: GET'),
    'an empty body': (BYTES, b'', 400, 'JSON Parse error'),
    'half a body': (BYTES, b'{"instances": ["a"', 400, 'JSON Parse error'),
    'bytes that are no text': (BYTES, b'\xff\xfe', 400, 'JSON Parse error'),
    'a body as deep as a well': (BYTES, b'[' * 100_000, 400, 'JSON Parse error'),
    'a list': (BYTES, [1], 400, 'not an object'),
    'neither rows nor columns': (BYTES, {'data': ['a']}, 400, "Missing 'inputs' or 'instances'"),
    'rows and columns': (BYTES, {'inputs': ['a'], 'instances': ['a']}, 400, 'instances'),
    'no rows': (BYTES, {'instances': []}, 400, 'non-empty list'),
    'rows that are none': (BYTES, {'instances': 'a'}, 400, 'non-empty list'),
    'no such signature': (BYTES, {'signature_name': 'x', 'inputs': []}, 400, '"x" not found'),
    'a number': (BYTES, {'instances': [1]}, 400, 'not of expected type: string'),
    'null': (BYTES, {'instances': [None]}, 400, 'not of expected type: string'),
    'no base64': (BYTES, {'instances': [{'b64': '***'}]}, 400, 'base64'),
    'cut base64': (BYTES, {'instances': [{'b64': 'YWJjZ'}]}, 400, 'base64'),
    'base64 of a number': (BYTES, {'instances': [{'b64': 1}]}, 400, 'type: string'),
    'base64 by another name': (BYTES, {'instances': [{'b46': 'YWJj'}]}, 400, 'b46'),
    'lists of items': (BYTES, {'instances': [['a'], ['b']]}, 400, 'expected shape [?]'),
    'lists here and there': (BYTES, {'instances': [['a'], 'b']}, 400, 'unexpected level'),
    'rows of different keys': (BYTES, {'instances': [{'data': 'a'}, {'date': 'a'}]}, 400, 'differ'),
    'another column': (BYTES, {'inputs': {'date': ['a']}}, 400, 'date'),
    'a scalar for a batch': (BYTES, {'inputs': {'data': 'a'}}, 400, 'expected shape [?]'),
    'a fraction of a state': (
        BYTES, {'signature_name': 'start', 'inputs': {'batch_size': 1.5}}, 400, 'int32',
    ),
    'a number beyond int32': (
        BYTES, {'signature_name': 'start', 'inputs': {'batch_size': 1 << 40}}, 400, 'int32',
    ),
    'a state that is too large': (
        BYTES, {'signature_name': 'start', 'inputs': {'batch_size': 1 << 30}}, 400, '1 to 65536',
    ),
    'a step beyond a byte': (
        BYTES, {'signature_name': 'tokens', 'inputs': {'inputs': [[300]], 'lengths': [1]}},
        400, 'uint8',
    ),
    'rows of different lengths': (
        BYTES, {'signature_name': 'tokens', 'inputs': {'inputs': [[1, 2], [3]], 'lengths': [2, 1]}},
        400, 'inputs',
    ),
}  # fmt: skip


def http(server, path, body) -> tuple[int, dict]:
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f'http://{server.rest}{path}', data)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.parametrize('name', REST)
def test_over_rest(server, good, name):
    path, body, code, words = REST[name]
    found, said = http(server, path, body)
    assert found == code, said
    assert set(said) == {'error'}
    assert words in said['error']
    good('bytes')


def test_rest_in_rows_and_in_columns(server, exported):
    """The same answers, of plain text and of base64, and of one version by its number."""
    want = loaded(exported, 'bytes').call('serving_default', data=[b'abc', b''])
    rows = {'instances': [{'data': 'abc'}, {'data': b64(b'')}]}
    plain = {'instances': ['abc', b64(b'')]}
    _, first = http(server, BYTES, rows)
    assert http(server, BYTES, plain)[1] == first
    assert http(server, '/v1/models/bytes/versions/9:predict', rows)[1] == first
    _, columns = http(server, BYTES, {'inputs': {'data': ['abc', '']}})
    for i, row in enumerate(first['predictions']):
        assert row['readable'] == bool(want['readable'][i])
        assert row['class_name'] == want['class_name'][i].decode()
        np.testing.assert_allclose(row['probabilities'], want['probabilities'][i], atol=1e-6)
        for name, value in row.items():
            assert columns['outputs'][name][i] == value


def test_a_sequence_in_chunks_over_rest(server, exported):
    """start -> advance -> classify, the state kept by the client as JSON."""
    _, begun = http(server, BYTES, {'signature_name': 'start', 'inputs': {'batch_size': 1}})
    held = {'h': begun['outputs']}
    for part in (b'ab', b'', b'cde'):
        sent = held | {'inputs': [list(part)], 'lengths': [len(part)]}
        if part:
            _, said = http(server, BYTES, {'signature_name': 'advance', 'inputs': sent})
            held = {'h': said['outputs']}
    _, found = http(server, BYTES, {'signature_name': 'classify', 'inputs': held})
    want = loaded(exported, 'bytes').call('serving_default', data=[b'abcde'])
    np.testing.assert_allclose(found['outputs']['probabilities'], want['probabilities'], atol=1e-5)


def test_the_status_and_the_metadata_of_a_model(server, stub):
    _, said = http(server, '/v1/models/bytes', None)
    assert [v['version'] for v in said['model_version_status']] == ['7', '9']
    assert {v['state'] for v in said['model_version_status']} == {'AVAILABLE'}
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name, request.metadata_field[:] = 'characters', ['signature_def']
    answer = stub.GetModelMetadata(request)
    assert answer.model_spec.version.value == 7
    found = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata['signature_def'].Unpack(found)
    assert set(found.signature_def) >= {'serving_default', 'advance', 'recall'}
    assert found.signature_def['advance'].inputs['c'].tensor_shape.dim[1].size == U
    request.model_spec.name = 'nobody'
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetModelMetadata(request)
    assert refused.value.code() is MISSING


FILES = {n: b.content for n, b in hostile.bad_images().items() if isinstance(b.content, bytes)}
FILES = {n: content for n, content in FILES.items() if n.startswith('cat/')}


def test_files_that_are_no_picture(stub, good):
    """Each beside a good one: it is said of each that it cannot be read, and of it alone."""
    item = exports.items_of('image', 1)[0]
    data = [part for content in FILES.values() for part in (content, item)]
    answer = stub.Predict(request_of('image', '', {'data': data})).outputs
    readable = tf.make_ndarray(answer['readable'])
    names = list(FILES)
    assert not [names[i] for i in np.flatnonzero(readable[::2])]
    assert readable[1::2].all()
    assert set(tf.make_ndarray(answer['class_index'])[::2]) == {-1}
    assert len(set(tf.make_ndarray(answer['class_index'])[1::2])) == 1
    good('image')


def test_files_that_are_no_picture_by_the_tool(exported, capsys, tmp_path, monkeypatch):
    """With pipes, devices, links, and a file of a terabyte that takes no place on the disk."""
    model = ExportedModel(exported('image'))
    monkeypatch.setattr(command, 'ExportedModel', lambda _: model)
    items = exports.items_of('image', 2)
    strange = {
        'cat/good.png': items[0],
        'zebra/good.png': items[1],
        'cat/trailing.png': items[1] + bytes(100),
    }
    folder = hostile.make_folder(tmp_path / 'photos', strange, hostile.bad_images())
    done = typed(predict, capsys, exported('image'), folder, '--json', '--batch_size=7')
    assert done.code == 1
    assert done.err == ''
    rows = {r['file']: r for r in map(json.loads, done.out.splitlines())}
    read = {name.removeprefix(f'{folder}/') for name, row in rows.items() if row['class_name']}
    assert read == set(strange)
    assert all(row.get('error') for row in rows.values() if not row['class_name'])
    assert len(rows) >= len(strange) + len(FILES) + 5
