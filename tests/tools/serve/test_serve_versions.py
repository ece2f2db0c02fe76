"""Versions that come and go while the server runs: no request is lost."""

import json
import shutil
import threading
import time

import numpy as np
import pytest
import serving
from websockets.sync.client import connect

DATA = {'inputs': {'data': ['abc', 'a longer text']}}


@pytest.fixture(scope='module')
def other(exported):
    """Another model of texts: its answers tell it apart."""
    return exported('transformer')


@pytest.fixture(scope='module')
def top(tmp_path_factory, exported):
    return serving.fill(tmp_path_factory.mktemp('versions') / 'bytes', {7: exported('bytes')})


@pytest.fixture(scope='module')
def running(top):
    flags = {'label': ['old=7'], 'enable_model_warmup': True}
    with serving.serve_folders({'bytes': str(top)}, **flags) as running:
        assert answers(running) == 'old'
        yield running


@pytest.fixture
def folder(running, top, exported):
    """The folder of the running server, which serves version 7 alone before and after a test."""
    yield top
    if (top / '9').is_symlink():
        (top / '9').unlink()
    if (top / '9').is_dir():
        (top / '9').rmdir()
    (top / 'first').symlink_to(exported('bytes'))
    (top / 'first').rename(top / '7')
    until(lambda: states(running) in ({'7': 'AVAILABLE'}, {'7': 'AVAILABLE', '9': 'END'}))
    until(lambda: answers(running) == 'old')


@pytest.fixture
def server(running, folder):
    return running


def ask(server, path='/v1/models/bytes:predict'):
    return server.http(path, DATA)


_FIRST = []


def age(said) -> str:
    """Whether an answer is that of the first model that was asked here."""
    found = np.array(said['outputs']['probabilities'])
    _FIRST.append(found)
    return 'old' if np.allclose(found, _FIRST[0], atol=1e-5) else 'new'


def answers(server, path='/v1/models/bytes:predict') -> str:
    code, said = ask(server, path)
    assert code == 200, said
    return age(said)


def states(server) -> dict[str, str]:
    _, said = server.http('/v1/models/bytes')
    return {v['version']: v['state'] for v in said['model_version_status']}


def until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_newer_version_is_taken_up_and_rolled_back_without_a_lost_request(
    server, folder, other, exported
):
    stop, codes, seen = threading.Event(), [], set()

    def load():
        while not stop.is_set():
            code, said = ask(server)
            codes.append(code)
            seen.add(age(said) if code == 200 else said['error'])

    clients = [threading.Thread(target=load) for _ in range(3)]
    for client in clients:
        client.start()
    (folder / '9').symlink_to(other)
    until(lambda: states(server) == {'7': 'AVAILABLE', '9': 'AVAILABLE'})
    assert answers(server) == 'new'
    # The label still asks for the older one, which it keeps.
    assert answers(server, '/v1/models/bytes/labels/old:predict') == 'old'
    assert answers(server, '/v1/models/bytes/versions/7:predict') == 'old'
    (folder / '9').unlink()
    until(lambda: states(server) == {'7': 'AVAILABLE', '9': 'END'})
    assert answers(server) == 'old'
    code, said = ask(server, '/v1/models/bytes/versions/9:predict')
    assert (code, said['error']) == (404, 'Servable not found for request: Specific(bytes, 9)')
    stop.set()
    for client in clients:
        client.join()
    assert set(codes) == {200}
    assert seen == {'old', 'new'}
    # It is said once its memory is free, a moment after its end.
    until(lambda: any('9: unloaded' in line for line in server.said))


def test_the_older_version_ends_once_the_newer_one_is_ready(tmp_path, exported, other):
    folder = serving.fill(tmp_path / 'bytes', {7: exported('bytes')})
    with serving.serve_folders({'bytes': str(folder)}) as server:
        (folder / '9').symlink_to(other)
        until(lambda: states(server) == {'7': 'END', '9': 'AVAILABLE'})
        (folder / '9').unlink()
        until(lambda: states(server) == {'7': 'AVAILABLE', '9': 'END'})
        (folder / '7').unlink()
        until(lambda: states(server) == {'7': 'END', '9': 'END'})
        assert ask(server)[0] == 404
        assert server.http('/healthz') == (503, {'ready': False})


def test_a_broken_version_leaves_its_place_to_the_older_one(server, folder, other, tmp_path):
    broken = shutil.copytree(other, tmp_path / 'broken')
    graph = (broken / 'saved_model.pb').read_bytes()
    (broken / 'saved_model.pb').write_bytes(graph[: len(graph) // 2])
    (folder / '9').symlink_to(broken)
    until(lambda: any('9: cannot be loaded' in line for line in server.said))
    assert states(server) == {'7': 'AVAILABLE', '9': 'END'}
    _, said = server.http('/v1/models/bytes/versions/9')
    assert said['model_version_status'][0]['status']['error_code'] == 'UNKNOWN'
    assert said['model_version_status'][0]['status']['error_message']
    assert answers(server) == 'old'
    (broken / 'saved_model.pb').write_bytes(graph)
    until(lambda: states(server) == {'7': 'AVAILABLE', '9': 'AVAILABLE'})
    assert answers(server) == 'new'


def test_a_version_that_is_half_copied_is_waited_for(server, folder, other):
    (folder / '9').mkdir()
    time.sleep(0.2)
    assert states(server)['7'] == 'AVAILABLE'
    assert states(server).get('9') in (None, 'END')


def test_files_that_are_replaced_under_the_same_number_are_loaded_again(server, folder, other):
    (folder / 'next').symlink_to(other)
    (folder / 'next').rename(folder / '7')
    until(lambda: answers(server) == 'new')
    assert states(server)['7'] == 'AVAILABLE'


def test_nothing_to_serve_is_refused(tmp_path):
    (tmp_path / 'x').mkdir()
    with (
        pytest.raises(ValueError, match='no version that can be served'),
        serving.serve_folders({'x': str(tmp_path / 'x')}),
    ):
        pass


def test_a_port_that_is_taken_is_refused(server, folder):
    for flag, address in (('port', server.grpc), ('rest_api_port', server.rest)):
        port = int(address.rpartition(':')[2])
        with (
            pytest.raises(ValueError, match=f'--{flag}'),
            serving.serve_folders({'bytes': str(folder)}, **{flag: port}),
        ):
            pass


def test_labels_that_nobody_has_given(server):
    code, said = ask(server, '/v1/models/bytes/labels/new:predict')
    assert (code, said['error']) == (400, 'Unrecognized servable version label: new')


@pytest.mark.long
def test_a_rollback_does_not_wait_for_streams(tmp_path, exported):
    """A stream keeps its version loaded, though it takes no requests; it is loaded once more."""
    top = serving.fill(tmp_path / 'bytes', {7: exported('bytes')})
    with (
        serving.serve_folders({'bytes': str(top)}) as server,
        connect(f'ws://{server.rest}/stream') as stream,
    ):
        stream.send('{}')
        stream.recv()
        serving.fill(top, {9: exported('bytes')})
        until(lambda: states(server) == {'7': 'UNLOADING', '9': 'AVAILABLE'})
        (top / '9').unlink()
        until(lambda: states(server) == {'7': 'AVAILABLE', '9': 'END'})
        stream.send(b'abc')
        assert json.loads(stream.recv())['steps'] == 3
