"""Servers that are down, deaf, mute or mad: one line each, exit code 2, and no hang."""

import contextlib
import http.server
import json
import socket
import threading
from concurrent import futures

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2
from typed import typed

from tools.query import rest_client
from tools.query.__main__ import main

METHOD = 'tensorflow.serving.PredictionService'


def ask(capsys, address, *flags, rest=False, timeout=20):
    given = [f'--server={address}', '--model=m', f'--timeout={timeout}', *['--rest'] * rest]
    return typed(main, capsys, __file__, *given, *flags)


@contextlib.contextmanager
def listening(answer=None):
    """A socket that takes connections; `answer` is sent to whatever comes, None: nothing is."""
    with socket.create_server(('localhost', 0)) as listener:
        taken = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    taken.append(listener.accept()[0])
                    if answer is not None:
                        taken[-1].recv(10)
                        taken[-1].sendall(answer)
                        taken[-1].close()

        threading.Thread(target=serve, daemon=True).start()
        yield f'localhost:{listener.getsockname()[1]}'
        listener.shutdown(socket.SHUT_RDWR)
        for connection in taken:
            connection.close()


@contextlib.contextmanager
def web(code, body, *, before=(), **headers):
    """A web server that says the same to everybody, after the codes `before`."""
    before = list(before)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers['Content-Length']))
            self.send_response(before.pop(0) if before else code)
            for name, value in headers.items():
                self.send_header(name.replace('_', '-'), value)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(('localhost', 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        yield f'localhost:{running.server_address[1]}'
        running.shutdown()


@contextlib.contextmanager
def grpc_saying(answer):
    """A gRPC server whose Predict is `answer`, bytes or a function of the context."""

    def predict(_, context):
        return answer(context) if callable(answer) else answer

    handler = grpc.unary_unary_rpc_method_handler(predict)
    running = grpc.server(futures.ThreadPoolExecutor(1))
    running.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(METHOD, {'Predict': handler})]
    )
    port = running.add_insecure_port('localhost:0')
    running.start()
    yield f'localhost:{port}'
    running.stop(None).wait()


def unused() -> str:
    with socket.create_server(('localhost', 0)) as listener:
        return f'localhost:{listener.getsockname()[1]}'


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_no_server(capsys, rest):
    address = unused()
    refusal = ask(capsys, address, rest=rest).refusal
    assert f'--server={address}: no answer over {"REST" if rest else "gRPC"}' in refusal
    assert '8500' in refusal
    assert '8501' in refusal


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_a_host_that_does_not_exist(capsys, rest):
    assert 'no answer' in ask(capsys, 'nowhere.invalid:1', rest=rest).refusal


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_the_other_protocol_s_port(server, capsys, rest):
    address = server.grpc if rest else server.rest
    assert 'check host and port' in ask(capsys, address, rest=rest).refusal


@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_a_server_that_never_answers(capsys, rest):
    with listening() as address:
        refusal = ask(capsys, address, rest=rest, timeout=0.5).refusal
    assert 'no answer' in refusal
    assert '--timeout' in refusal


def test_a_server_that_thinks_for_too_long(capsys):
    done = threading.Event()

    def think(_):
        done.wait(30)
        return b''

    with grpc_saying(think) as address:
        refusal = ask(capsys, address, timeout=0.5).refusal
        done.set()
    assert 'DEADLINE_EXCEEDED' in refusal


@pytest.mark.parametrize(
    'noise', [b'', b'\x00\xff\x1b[31mrubbish\n' * 50, b'HTTP/1.1 200 OK\r\n\r\n', b'220 ftp\r\n']
)
@pytest.mark.parametrize('rest', [False, True], ids=['grpc', 'rest'])
def test_noise(capsys, rest, noise):
    with listening(noise) as address:
        assert 'check host and port' in ask(capsys, address, rest=rest).refusal


GOOD = {
    'top_class_names': [['cat']],
    'top_probabilities': [[1.0]],
    'readable': [True],
}

RIGHT = json.dumps({'outputs': GOOD}).encode()


@pytest.mark.parametrize(
    'body',
    [
        b'',
        b'<html>hello</html>',
        b'\xff',
        b'[]',
        b'{}',
        b'{"outputs": 3}',
        b'{"outputs": {}}',
        b'[' * 100_000,
        json.dumps({'predictions': [1]}).encode(),
        *(
            json.dumps({'outputs': GOOD | change}).encode()
            for change in (
                {'readable': True},
                {'readable': [True, True]},
                {'top_probabilities': [['x']]},
                {'top_probabilities': [[1.0], [2.0, 3.0]]},
                {'top_class_names': [['cat', 'dog']]},
                {'top_class_names': []},
                {'top_class_names': None},
            )
        ),
    ],
)
def test_a_web_server_that_answers_something_else(capsys, body):
    with web(200, body) as address:
        refusal = ask(capsys, address, rest=True).refusal
    assert f'--server={address}: its ' in refusal


def test_the_answer_that_would_have_been_right(capsys):
    """So that the refusals above are of what was changed."""
    with web(200, RIGHT) as address:
        assert ask(capsys, address, rest=True).out.endswith('cat 100.0%\n')


@pytest.mark.parametrize('code', [502, 503, 504])
def test_a_proxy_without_a_server(capsys, code):
    with web(code, b'<html>try again</html>') as address:
        refusal = ask(capsys, address, rest=True).refusal
    assert f'no answer over REST ({code}: ' in refusal


@pytest.mark.parametrize(
    'body', [b'', b'{"error": "you\\nmay not \\u001b[31m"}', b'{"error"', b'3']
)
def test_a_request_that_is_refused_is_a_line_of_the_table(capsys, body):
    with web(403, body) as address:
        done = ask(capsys, address, rest=True)
    assert done.code == 1
    assert 'the server refuses it: 403: ' in done.out
    assert done.out.count('\n') == 1
    assert done.out[:-1].isprintable()


def response(**outputs) -> bytes:
    found = predict_pb2.PredictResponse()
    for name, value in outputs.items():
        found.outputs[name].CopyFrom(tf.make_tensor_proto(value))
    return found.SerializeToString()


def huge() -> bytes:
    found = predict_pb2.PredictResponse.FromString(response(**GOOD))
    found.outputs['top_probabilities'].tensor_shape.dim[0].size = 1 << 40
    return found.SerializeToString()


@pytest.mark.parametrize(
    'answer',
    [
        b'\xff\xff\xff',
        b'',
        response(),
        response(**GOOD | {'readable': [True, True]}),
        response(**GOOD | {'top_class_names': ['cat']}),
        response(**GOOD | {'top_probabilities': [[1.0, 2.0]]}),
        response(readable=[True], top_class_names=[['cat']]),
        huge(),
    ],
    ids=range(8),
)
def test_a_grpc_server_that_answers_something_else(capsys, answer):
    with grpc_saying(answer) as address:
        assert f'--server={address}: its ' in ask(capsys, address).refusal


def test_the_grpc_answer_that_would_have_been_right(capsys):
    with grpc_saying(response(**GOOD)) as address:
        assert ask(capsys, address).out.endswith('cat 100.0%\n')


def test_a_server_that_fails_inside(capsys):
    def fail(_):
        raise RuntimeError('out of\nluck')

    with grpc_saying(fail) as address:
        done = ask(capsys, address)
    assert done.code == 1
    assert 'the server refuses it: UNKNOWN' in done.out
    assert done.out.count('\n') == 1


@pytest.mark.parametrize('code', [429, 503])
def test_a_busy_server_is_asked_again(capsys, monkeypatch, code):
    waits = []
    monkeypatch.setattr(rest_client.time, 'sleep', waits.append)
    with web(200, RIGHT, before=[code] * 3, Retry_After='1') as address:
        assert ask(capsys, address, rest=True).out.endswith('cat 100.0%\n')
    assert waits == [1, 1, 1]


@pytest.mark.parametrize(
    ('headers', 'waits'),
    [
        ({'Retry_After': '0'}, [0.25, 0.5, 1, 2]),
        ({'Retry_After': '5'}, [5, 5, 5, 5]),
        ({'Retry_After': '3600'}, []),
        ({'Retry_After': 'Wed, 21 Oct 2026 07:28:00 GMT'}, []),
        ({}, []),
    ],
    ids=['at once', 'soon', 'not today', 'a date', 'never'],
)
def test_a_server_that_stays_busy_is_given_up(capsys, monkeypatch, headers, waits):
    found = []
    monkeypatch.setattr(rest_client.time, 'sleep', found.append)
    with web(503, b'', **headers) as address:
        assert 'no answer over REST (503: ' in ask(capsys, address, rest=True).refusal
    assert found == waits


def test_no_wait_is_longer_than_the_timeout(capsys, monkeypatch):
    found = []
    monkeypatch.setattr(rest_client.time, 'sleep', found.append)
    with web(503, b'', Retry_After='5') as address:
        assert ask(capsys, address, rest=True, timeout=4).code == 2
    assert not found


def test_a_busy_grpc_server_is_asked_again(capsys):
    asked = []

    def busy(context):
        asked.append(1)
        if len(asked) < 3:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, 'try again later')
        return response(**GOOD)

    with grpc_saying(busy) as address:
        assert ask(capsys, address).out.endswith('cat 100.0%\n')
    assert len(asked) == 3
