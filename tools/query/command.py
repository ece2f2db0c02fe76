"""What `python -m tools.query` does: files in batches to a server, answers printed."""

import contextlib
import ipaddress
import re
from collections.abc import Callable, Iterator

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.flags import at_least
from tools.items.answers import Answer, ask_of, show
from tools.items.files import batches, find_files
from tools.query import grpc_client, rest_client
from tools.tokens import read_token

_OUTPUTS = ('top_class_names', 'top_probabilities', 'readable')
_SERVER = re.compile(r'(\[(?P<address>[0-9a-fA-F:.]+)\]|[^\s:/\[\]]+):(?P<port>[0-9]{1,5})')
_MAX_SECONDS = 86_400
Ask = Callable[[list[bytes]], dict[str, np.ndarray]]


def run(
    paths: list[str],
    *,
    server: str,
    model: str,
    version: int | None = None,
    rest: bool = False,
    as_json: bool = False,
    top: int = 1,
    batch_size: int = 32,
    timeout: float = 60,
    token_file: str = '',
) -> int:
    """Classifies files and prints the answers.

    Args:
      paths: files, or folders of them; '-' is standard input.
      server: HOST:PORT.
      model: its name there.
      version: of the model; None: the server's latest.
      rest: REST instead of gRPC.
      as_json: JSON lines instead of a table.
      top: classes per file.
      batch_size: files per call.
      timeout: seconds per call.
      token_file: with the token that the server wants; '' for none.

    Returns:
      How many files could not be read or classified.

    Raises:
      LonghaulError: for whatever the user can put right.
    """
    check_server(server, flag='--server')
    at_least(1, batch_size=batch_size, top=top)
    if version is not None and not 0 <= version < 1 << 63:
        raise LonghaulError(f'--version={version}: a whole number of up to 63 bits is needed')
    if not 0 < timeout <= _MAX_SECONDS:
        raise LonghaulError(f'--timeout={timeout}: more than 0, up to {_MAX_SECONDS} seconds')
    token, files = read_token(token_file), find_files(paths)
    client = rest_client if rest else grpc_client
    with client.connect(
        server, model, version, outputs=_OUTPUTS, timeout=timeout, token=token
    ) as ask:
        answers = _answers(_checked(ask, server), files, top=top, batch_size=batch_size)
        width = min(60, max(map(len, files[:1000])))
        return show(answers, count=len(files), as_json=as_json, width=width)


def check_server(server: str, *, flag: str) -> None:
    """Refuses what is no HOST:PORT, naming the flag."""
    found = _SERVER.fullmatch(server)
    if not found or int(found['port']) > 65_535 or not _is_address(found['address']):
        raise LonghaulError(
            f'{flag}={server}: HOST:PORT is needed, such as localhost:8500 (gRPC) or '
            'localhost:8501 (REST)'
        )


def _is_address(text: str | None) -> bool:
    """Whether the text in brackets is an IPv6 address; None, for no brackets, is allowed."""
    with contextlib.suppress(ValueError):
        return text is None or bool(ipaddress.IPv6Address(text))
    return False


def _answers(ask: Ask, files: list[str], *, top: int, batch_size: int) -> Iterator[Answer]:
    for batch in batches(files, batch_size=batch_size):
        yield from ask_of(ask, batch, top=top)


def _checked(ask: Ask, server: str) -> Ask:
    """Makes a function that asks, and refuses outputs that none of our exports has."""

    def checked(items: list[bytes]) -> dict[str, np.ndarray]:
        """Sends one batch."""
        outputs = ask(items)
        shapes = {name: outputs[name].shape for name in _OUTPUTS if name in outputs}
        rows, top = len(items), shapes.get('top_probabilities', ())[1:]
        wanted = {'readable': (rows,), 'top_class_names': (rows, *top)}
        wanted['top_probabilities'] = wanted['top_class_names']
        if len(top) != 1 or shapes != wanted:
            raise LonghaulError(
                f'--server={server}: its model answers {shapes or "nothing"} to {rows} items, and '
                'none of our exports does; name another --model'
            )
        return outputs

    return checked
