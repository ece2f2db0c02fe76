"""JSON objects, one a line."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any


def parse(lines: Iterable[str | bytes]) -> Iterator[dict[str, Any]]:
    """The objects of lines, such as those of a file opened as 'rb'; empty lines are left out.

    Text is to be cut with split('\\n'): a string in JSON may hold other line breaks as they are.

    Raises:
      ValueError: for a line that is no JSON, or no UTF-8.
    """
    return (json.loads(line) for line in lines if line.strip())


def read(path: str | Path) -> list[dict[str, Any]]:
    """The objects of a whole file.

    Raises:
      OSError: if it cannot be read.
      ValueError: see `parse`.
    """
    with open(path, 'rb') as file:
        return list(parse(file))
