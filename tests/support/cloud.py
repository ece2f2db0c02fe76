"""Google's storage and Dataflow on loopback: an emulator and a fake endpoint.

Needs apache-beam[gcp] and gcp-storage-emulator; tests skip without them, see `WHY_NOT`.
"""

import contextlib
import http.server
import importlib.util
import json
import logging
import os
import threading
from collections.abc import Iterator
from typing import Any
from unittest import mock

_NEEDED = ('gcp_storage_emulator', 'google.cloud.storage', 'google.cloud.dataflow')
BUCKET = 'bucket'


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


_MISSING = [name for name in _NEEDED if not _installed(name)]
WHY_NOT = (
    f'{", ".join(_MISSING)} not installed: make test-dataflow, or '
    'pip install -c constraints.txt -e ".[dataflow-tests]"'
    if _MISSING
    else ''
)


@contextlib.contextmanager
def storage() -> Iterator[str]:
    """An empty bucket; yields the emulator's address."""
    from gcp_storage_emulator.server import create_server

    logging.getLogger('gcp_storage_emulator').setLevel(logging.ERROR)
    # Of two servers on one port, one would be another test's.
    with http.server.HTTPServer(('localhost', 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_address[1]
    server = create_server('localhost', port, in_memory=True, default_bucket=BUCKET)
    server.start()
    try:
        yield f'http://localhost:{port}'
    finally:
        server.stop()


@contextlib.contextmanager
def bucket() -> Iterator[str]:
    """As `storage`, for Beam in this process and its children: gs://BUCKET."""
    from apache_beam.internal.gcp import auth

    with storage() as address:
        values = {'STORAGE_EMULATOR_HOST': address, 'NO_GCE_CHECK': 'true'}
        # Beam would look for credentials for twenty seconds; its other processes do.
        known = mock.patch.object(auth._Credentials, '_credentials_init', True)
        with mock.patch.dict(os.environ, values), known:
            yield address


def objects(address: str, prefix: str) -> dict[str, bytes]:
    """Name below gs://BUCKET/PREFIX -> bytes, by Google's own client; leaves marks of jobs out."""
    blobs = [b for b in _bucket(address).list_blobs(prefix=prefix) if '.job.json' not in b.name]
    found = {b.name: b.download_as_bytes() for b in blobs}
    return {name.removeprefix(prefix): data for name, data in sorted(found.items())}


def put(address: str, name: str, data: bytes) -> None:
    """Writes gs://BUCKET/NAME."""
    _bucket(address).blob(name).upload_from_string(data)


def _bucket(address: str) -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    client = Client(
        project='test',
        credentials=AnonymousCredentials(),
        client_options={'api_endpoint': address},
    )
    return client.bucket(BUCKET)


class FakeDataflow:
    """Takes jobs, and says of each what it was told to.

    Attributes:
      jobs: JSON of the jobs that were submitted, in order.
      state: of every job when it is asked for.
      message: the error that a job ends with; '' for none.
      refusal: the error that it answers a submission with; '' to take it.
    """

    def __init__(self) -> None:
        self.jobs: list[dict] = []
        self.state, self.message, self.refusal = 'JOB_STATE_DONE', '', ''
        self._server = http.server.ThreadingHTTPServer(('localhost', 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> 'FakeDataflow':
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def address(self) -> str:
        return f'http://localhost:{self._server.server_address[1]}'

    def submit(self, job: dict) -> dict:
        self.jobs.append(job)
        return job | {'id': f'job-{len(self.jobs)}', 'currentState': 'JOB_STATE_PENDING'}

    def get(self, job_id: str) -> dict:
        return {'id': job_id, 'currentState': self.state}

    def messages(self) -> dict:
        message = {
            'id': '1',
            'time': '2020-01-01T00:00:00Z',
            'messageText': self.message,
            'messageImportance': 'JOB_MESSAGE_ERROR',
        }
        return {'jobMessages': [message]} if self.message else {}


def _handler(fake: FakeDataflow) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            size = int(self.headers['Content-Length'])
            job = json.loads(self.rfile.read(size))
            if fake.refusal:
                error = {'code': 403, 'message': fake.refusal, 'status': 'PERMISSION_DENIED'}
                self._answer({'error': error}, 403)
            else:
                self._answer(fake.submit(job))

        def do_GET(self):
            path = self.path.partition('?')[0]
            if path.endswith('/messages'):
                self._answer(fake.messages())
            else:
                self._answer(fake.get(path.rpartition('/')[2]))

        def _answer(self, values, status=200):
            data = json.dumps(values).encode()
            self.send_response(status)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            del arguments

    return Handler
