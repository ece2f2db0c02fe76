"""`python -m tools.serve` as a user starts it: signals, clients that are killed, a busy port."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import serving

from tools.benchmark.memory import resident
from tools.benchmark.serve.child import running

pytestmark = pytest.mark.long


@pytest.fixture(scope='module')
def folder(tmp_path_factory, exported):
    return serving.fill(tmp_path_factory.mktemp('served') / 'x', {7: exported('bytes')})


def predict(server, item=b'abc') -> dict:
    body = json.dumps({'inputs': [{'b64': base64.b64encode(item).decode()}]}).encode()
    address = f'http://{server.rest}/v1/models/longhaul:predict'
    with urllib.request.urlopen(address, body, timeout=60) as answer:
        return json.load(answer)['outputs']


def start(folder, *flags):
    command = [sys.executable, '-m', 'tools.serve', str(folder), '--port=0', *flags]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = []
    for line in process.stderr:
        said.append(line)
        if 'gRPC on' in line:
            break
    return process, said


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it(folder, number):
    process, said = start(folder, '--rest_api_port=0')
    assert said[-1].startswith('gRPC on 127.0.0.1:')
    process.send_signal(number)
    assert process.wait(30) == 0
    rest = process.stderr.read()
    assert 'stopping' in rest
    assert rest.endswith('stopped\n')
    # Nothing of TensorFlow, gRPC or uvicorn is said besides.
    lines = ''.join(said).splitlines() + rest.splitlines()
    assert all(line.startswith(('longhaul 7:', 'gRPC on', 'stop')) for line in lines), lines


def test_a_busy_port_is_one_line(folder):
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        process, said = start(folder, f'--rest_api_port={port}')
        assert process.wait(30) == 2
        assert said[-1].startswith(f'error: --rest_api_port={port}: cannot be listened on')


CLIENT = """
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], sys.stdin.buffer.read())
"""


def test_clients_that_are_killed_leave_nothing(folder):
    with running(str(folder)) as server:
        want, address = predict(server), f'http://{server.rest}/v1/models/longhaul:predict'
        long = base64.b64encode(b'a' * 3_000_000).decode()
        data = json.dumps({'signature_name': 'encode', 'inputs': [{'b64': long}] * 3}).encode()
        for _ in range(5):
            client = subprocess.Popen(
                [sys.executable, '-c', CLIENT, address], stdin=subprocess.PIPE
            )
            client.stdin.write(data)
            client.stdin.flush()
            client.stdin.close()
            time.sleep(0.3)
            os.kill(client.pid, signal.SIGKILL)
            client.wait()
        assert predict(server) == want
        deadline = time.monotonic() + 60
        while b'longhaul_requests_running 0.0' not in metrics(server):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def metrics(server) -> bytes:
    with urllib.request.urlopen(f'http://{server.rest}/metrics', timeout=60) as answer:
        return answer.read()


def test_memory_stays_flat_under_load(folder):
    with running(str(folder)) as server:
        for _ in range(500):
            predict(server)
        before = resident(server.pid)
        for _ in range(3000):
            predict(server)
        assert resident(server.pid) - before < 40e6
