"""Streams over WebSockets: answers as of whole sequences, states that are kept, their bound."""

import contextlib
import json
import time

import exports
import numpy as np
import pytest
import serving
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect


@pytest.fixture(scope='module')
def streams(exported):
    """Three sessions at most, which end after a second without use."""
    with serving.serve(
        {'bytes': {7: exported('bytes')}}, max_streams=3, stream_timeout=1
    ) as running:
        yield running


@contextlib.contextmanager
def stream(server, **head):
    with connect(f'ws://{server.rest}/stream') as socket:
        socket.send(json.dumps(head))
        yield socket, json.loads(socket.recv())


def say(socket, message):
    socket.send(message if isinstance(message, bytes) else json.dumps(message))
    return json.loads(socket.recv())


LONG = pytest.mark.long


@pytest.mark.parametrize(
    'kind', ['characters', *(pytest.param(k, marks=LONG) for k in ('bytes', 'signal', 'image'))]
)
def test_the_answer_is_that_of_the_whole_sequence(server, exported, kind):
    model = exports.Loaded(exported(kind))
    items = exports.items_of(kind, 1, seed=3)
    steps = model.call('decode', data=items)['inputs'][0]
    data = items[0] if kind == 'characters' else steps.tobytes()
    if kind == 'characters':  # The job keeps nine of them.
        data = data.decode()[:9].encode()
        steps = np.zeros([len(data.decode())])
    with stream(server, model=kind) as (socket, greeting):
        assert greeting['steps'] == 0
        assert greeting['version'] == {'bytes': 9}.get(kind, 7)
        # Cut within steps and within characters.
        for begin in range(0, len(data), 7):
            said = say(socket, data[begin : begin + 7])
        assert said['steps'] == len(steps)
        want = model.call('serving_default', data=[data] if kind == 'characters' else items)
        np.testing.assert_allclose(said['probabilities'], want['probabilities'][0], atol=1e-5)
        assert said['class_name'] == want['class_name'][0].decode()
        say_end(socket)


def say_end(socket):
    socket.send('{"op": "end"}')
    with pytest.raises(ConnectionClosed):
        socket.recv()


def test_a_client_that_comes_back_goes_on(streams):
    with stream(streams, model='bytes') as (socket, greeting):
        want = say(socket, b'abc')
    with stream(streams, session=greeting['session']) as (socket, again):
        assert again == greeting | {'steps': 3}
        assert say(socket, {'op': 'classify'}) == want
        with stream(streams, session=greeting['session']) as (_, refusal):
            assert refusal['code'] == 409
        say_end(socket)
    with stream(streams, session=greeting['session']) as (_, refusal):
        assert refusal['code'] == 404


def test_there_is_a_bound_and_idle_ones_end(streams):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            _, greeting = stack.enter_context(stream(streams, model='bytes'))
            assert 'session' in greeting
        with stream(streams, model='bytes') as (socket, refusal):
            assert refusal['code'] == 429
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv()
            assert closed.value.rcvd.code == 1013
    # Their clients have gone; a second later they are forgotten.
    until = time.monotonic() + 20
    while True:
        assert time.monotonic() < until
        with stream(streams, model='bytes') as (socket, greeting):
            if 'session' in greeting:
                say_end(socket)
                break
        time.sleep(0.1)


def test_silent_streams_say_steps_alone(streams):
    with stream(streams, model='bytes', silent=True) as (socket, _):
        assert say(socket, b'abc') == {'steps': 3}
        assert set(say(socket, {'op': 'classify'})) == {'steps', 'class_name', 'probabilities'}
        say_end(socket)


@pytest.mark.parametrize(
    ('head', 'code', 'words'),
    [
        ({'model': 'nobody'}, 404, 'Servable not found'),
        ({'model': 'transformer'}, 400, 'whole sequences'),
        ({'model': 'bytes', 'version': 8}, 404, 'Specific(bytes, 8)'),
        ({'model': 3}, 400, 'texts are needed'),
        ({'model': 'bytes', 'version': 'x'}, 400, 'a whole number'),
        ({'session': 'x'}, 404, 'has ended'),
    ],
)
def test_first_messages_that_are_refused(server, head, code, words):
    with stream(server, **head) as (_, said):
        assert said['code'] == code
        assert words in said['error']


@pytest.mark.parametrize(
    ('kind', 'message', 'words'),
    [
        ('bytes', '[' * 100_000, 'JSON Parse error'),
        ('bytes', '3', 'not an object'),
        ('bytes', '{"op": "run"}', 'classify or end'),
        ('characters', b'caf\xe9 x', 'not UTF-8'),
        ('signal', np.full([1, 2], np.nan, np.float16).tobytes(), 'not finite'),
    ],
)
def test_messages_that_are_refused(server, kind, message, words):
    with stream(server, model=kind) as (socket, _):
        socket.send(message)
        assert words in json.loads(socket.recv())['error']
        with pytest.raises(ConnectionClosed):
            socket.recv()


def test_messages_that_are_too_long(server):
    with stream(server, model='bytes') as (socket, _):
        with contextlib.suppress(ConnectionClosed):
            # A server that leaves much unread resets the connection, and its code may be lost.
            socket.send([bytes(4 << 20), b'x'])
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv()
        assert closed.value.rcvd.code == 1009


def test_pages_of_other_sites_may_not_stream(server):
    address = f'ws://{server.rest}/stream'
    with (
        pytest.raises(InvalidStatus, match='403'),
        connect(address, origin='https://elsewhere.example'),
    ):
        pass


@pytest.mark.long
def test_ten_million_steps_in_flat_memory(exported):
    """The server's process is this one: its memory after two million steps and at the end."""
    from tools.benchmark.memory import resident

    chunk, seen = bytes(range(256)) * 400, {}
    with (
        serving.serve({'bytes': {7: exported('bytes')}}) as running,
        stream(running, model='bytes', silent=True) as (socket, _),
    ):
        steps = 0
        while steps < 10_000_000:
            steps = say(socket, chunk)['steps']
            seen[steps] = resident()
        after = next(seen[s] for s in sorted(seen) if s >= 2_000_000)
        assert seen[steps] - after < 30e6
        say_end(socket)
