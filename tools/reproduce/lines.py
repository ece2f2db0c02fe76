"""Results: files of JSON lines, one per validation and one per run, appended as they come."""

import json
import os
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError


def append(path: Path, line: dict[str, Any]) -> None:
    """Appends a line and waits until it is on the disk; removes half a line that a kill left.

    Raises:
      LonghaulError: if it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, 'a+b') as file:
            file.seek(0)
            content = file.read()
            if content and not content.endswith(b'\n'):
                file.truncate(content.rfind(b'\n') + 1)
            file.write(json.dumps(line).encode() + b'\n')
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise LonghaulError(
            f'--results: {path} cannot be written ({error.strerror}); make room, or name another '
            'folder: the same command goes on'
        ) from error


def read(path: Path) -> list[dict[str, Any]]:
    """Reads all whole lines of a file; none where there is no file.

    Raises:
      LonghaulError: for a line that is no JSON object.
    """
    if not path.exists():
        return []
    return [_parse(path, n, text) for n, text in enumerate(path.read_bytes().split(b'\n')[:-1], 1)]


def _parse(path: Path, number: int, text: bytes) -> dict[str, Any]:
    try:
        line = json.loads(text)
        missing = {'kind', 'run'} - line.keys()
    except (ValueError, AttributeError):
        missing = {'a JSON object'}
    if missing:
        raise LonghaulError(
            f'{path}, line {number}: lacks {" and ".join(sorted(missing))}; restore the line from '
            'its commit'
        )
    return line


def percent(value: float | None) -> str:
    """A share as percent for people; '-' for None."""
    return '-' if value is None else f'{value:.2%}'


def validations(lines: list[dict[str, Any]], run: str) -> list[dict[str, Any]]:
    """The validations of a run, one per step (the last one written), ascending."""
    found = {line['step']: line for line in lines if line['run'] == run and line['kind'] == 'epoch'}
    return [found[step] for step in sorted(found)]


def outcome(lines: list[dict[str, Any]], run: str) -> dict[str, Any] | None:
    """The last line that says how a run ended."""
    found = [line for line in lines if line['run'] == run and line['kind'] == 'run']
    return found[-1] if found else None
