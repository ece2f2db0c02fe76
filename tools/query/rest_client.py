"""TensorFlow Serving's REST API, by the standard library.

Source: tensorflow.org/tfx/serving/api_rest (column format; bytes as {"b64": ...}).
"""

import base64
import contextlib
import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from tools.items.refused import RefusedRequest, no_token, one_line

# What proxies say, and servers that are about to stop.
_UNREACHABLE = (502, 503, 504)
# What a server says that has too much to do, if it also says when to come again.
_BUSY = (429, 503)
# Requests that are sent at most; seconds between two of them at least, doubled each time, and at
# most, whatever the server says.
_TRIES, _SHORTEST, _LONGEST = 5, 0.25, 10.0
_DTYPES = {'readable': bool, 'top_probabilities': np.float32, 'probabilities': np.float32}


@contextlib.contextmanager
def connect(
    server: str,
    model: str,
    version: int | None,
    *,
    outputs: tuple[str, ...],
    timeout: float,
    token: str = '',
) -> Iterator[Callable[[list[bytes]], dict[str, np.ndarray]]]:
    """See `tools.query.grpc_client.connect`."""
    place = '' if version is None else f'/versions/{version}'
    url = f'http://{server}/v1/models/{urllib.parse.quote(model, safe="")}{place}:predict'

    headers = {'Content-Type': 'application/json'}
    headers |= {'Authorization': f'Bearer {token}'} if token else {}

    def ask(items: list[bytes]) -> dict[str, np.ndarray]:
        """Sends one batch."""
        data = [{'b64': base64.b64encode(item).decode()} for item in items]
        body = json.dumps({'signature_name': 'serving_default', 'inputs': {'data': data}})
        request = urllib.request.Request(url, body.encode(), headers=headers)
        try:
            found = _sent(request, timeout)['outputs']
            return {name: _array(name, found[name]) for name in outputs}
        except urllib.error.HTTPError as error:
            raise _ours(error, server, model) from error
        except (OSError, http.client.HTTPException) as error:
            raise _no_answer(server, getattr(error, 'reason', None) or error) from error
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise LonghaulError(
                f'--server={server}: its answer is none of TensorFlow Serving '
                f'({first_line(error)}); check host and port'
            ) from error

    yield ask


def _sent(request: urllib.request.Request, timeout: float) -> Any:
    """The JSON of the answer; a server that is busy is asked again, within the timeout."""
    until = time.monotonic() + timeout
    for tried in range(_TRIES):
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            said = error.headers.get('Retry-After', '')
            wait = max(float(said), _SHORTEST * 2**tried) if said.isdecimal() else None
            last = tried == _TRIES - 1 or error.code not in _BUSY
            if last or wait is None or wait > min(_LONGEST, until - time.monotonic()):
                raise
            error.close()
            time.sleep(wait)
    raise AssertionError('the last try has returned or raised')


def _array(name: str, values: Any) -> np.ndarray:
    return np.array(values, _DTYPES.get(name, object))


def _ours(error: urllib.error.HTTPError, server: str, model: str) -> Exception:
    try:
        said = one_line(json.load(error)['error'])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, RecursionError):
        said = one_line(error.reason)
    if error.code in _UNREACHABLE:
        return _no_answer(server, f'{error.code}: {said}')
    if error.code == 401:
        return no_token(server, said)
    if error.code == 404:
        return LonghaulError(
            f'--model={model}: {server} does not serve it ({said}); name one that it serves'
        )
    return RefusedRequest(f'the server refuses it: {error.code}: {said}')


def _no_answer(server: str, reason: object) -> LonghaulError:
    return LonghaulError(
        f'--server={server}: no answer over REST ({one_line(reason) or type(reason).__name__}); '
        'check host and port (TensorFlow Serving: 8501 with --rest, 8500 for gRPC), or raise '
        '--timeout'
    )
