"""What `python -m tools.query` does: files in batches to a server, answers printed."""

import re
from collections.abc import Callable, Iterator

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.items.answers import Answer, answers_of, show
from tools.items.files import batches, find_files
from tools.query import grpc_client, rest_client
from tools.query.refused import RefusedRequest

_OUTPUTS = ('top_class_names', 'top_probabilities', 'readable')
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

    Returns:
      How many files could not be read or classified.

    Raises:
      LonghaulError: for whatever the user can put right.
    """
    if not re.fullmatch(r'(\[[0-9a-fA-F:.]+\]|[^\s:/]+):[0-9]{1,5}', server):
        raise LonghaulError(
            f'--server={server}: HOST:PORT is needed, such as localhost:{8501 if rest else 8500}'
        )
    for name, value in (('batch_size', batch_size), ('top', top)):
        if value < 1:
            raise LonghaulError(f'--{name}={value}: at least 1 is needed')
    if not timeout > 0:
        raise LonghaulError(f'--timeout={timeout}: more than 0 seconds are needed')
    files = find_files(paths)
    client = rest_client if rest else grpc_client
    with client.connect(server, model, version, outputs=_OUTPUTS, timeout=timeout) as ask:
        answers = _answers(ask, files, top=top, batch_size=batch_size)
        width = min(60, max(map(len, files[:1000])))
        return show(answers, count=len(files), as_json=as_json, width=width)


def _answers(ask: Ask, files: list[str], *, top: int, batch_size: int) -> Iterator[Answer]:
    for batch in batches(files, batch_size=batch_size):
        names = [item.name for item in batch]
        try:
            outputs = ask([item.data for item in batch])
        except RefusedRequest as refused:
            yield from (Answer(name, error=str(refused)) for name in names)
            continue
        for item, answer in zip(batch, answers_of(names, outputs, top=top), strict=True):
            yield Answer(item.name, error=item.error) if item.error else answer
