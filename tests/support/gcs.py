"""Google Cloud Storage on loopback, by an emulator.

Needs apache-beam[gcp] and gcp-storage-emulator; tests skip without them, see `WHY_NOT`.
"""

import contextlib
import http.server
import importlib.util
import os
from collections.abc import Iterator
from unittest import mock

BUCKET = 'bucket'


def _installed(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ImportError:
        return False


_MISSING = [n for n in ('gcp_storage_emulator', 'google.cloud.storage') if not _installed(n)]
WHY_NOT = f'{" and ".join(_MISSING)} not installed' if _MISSING else ''


@contextlib.contextmanager
def bucket() -> Iterator[None]:
    """gs://BUCKET, empty, for this process and its children."""
    from apache_beam.internal.gcp import auth
    from gcp_storage_emulator.server import create_server

    # Of two servers on one port, one would be another test's.
    with http.server.HTTPServer(('localhost', 0), http.server.BaseHTTPRequestHandler) as free:
        port = free.server_address[1]
    values = {'STORAGE_EMULATOR_HOST': f'http://localhost:{port}', 'NO_GCE_CHECK': 'true'}
    server = create_server('localhost', port, in_memory=True, default_bucket=BUCKET)
    server.start()
    try:
        # Beam would look for credentials for twenty seconds; its other processes do.
        known = mock.patch.object(auth._Credentials, '_credentials_init', True)
        with mock.patch.dict(os.environ, values), known:
            yield
    finally:
        server.stop()


def upload(files: dict[str, bytes], prefix: str = '') -> None:
    """Writes gs://BUCKET/PREFIX + NAME, by Google's own client."""
    from google.cloud.storage import Client

    target = Client.create_anonymous_client().bucket(BUCKET)
    for name, data in files.items():
        target.blob(prefix + name).upload_from_string(data)
