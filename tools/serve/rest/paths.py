"""The paths of TensorFlow Serving's REST API."""

import re
import urllib.parse
from typing import NamedTuple

from tools.serve.core import Which
from tools.serve.refusal import invalid, missing

# As http_rest_api_util.cc has them.
_WHICH = r'/([^/:]+)(?:/versions/(\d+)|/labels/([^/:]+))?'
_ASK = re.compile(rf'/v1/models{_WHICH}:(classify|regress|predict)', re.IGNORECASE | re.ASCII)
_TELL = re.compile(rf'/v1/models{_WHICH}(?:/(metadata))?', re.IGNORECASE | re.ASCII)


class Called(NamedTuple):
    """A call of the API: 'predict', 'classify', 'regress', 'metadata' or 'status'."""

    method: str
    which: Which


def parse(method: str, raw_path: str) -> Called:
    """Parses a request line.

    Args:
      method: of HTTP.
      raw_path: with its escapes.

    Raises:
      Refusal: for any other path.
    """
    if not raw_path.lower().startswith('/v1/'):
        raise missing('Not Found')
    found = {'POST': _ASK, 'GET': _TELL}.get(method, _ASK).fullmatch(raw_path)
    if found is None or method not in ('POST', 'GET'):
        raise invalid(f'Malformed request: {method} {raw_path}')
    name, version, label, verb = found.groups()
    number = None if version is None else int(version.lstrip('0')[:20] or '0')
    if number is not None and number >= 1 << 63:
        raise invalid(f'Failed to convert version: {version} to numeric.')
    which = Which(urllib.parse.unquote(name), number, urllib.parse.unquote(label or ''))
    return Called((verb or 'status').lower(), which)
