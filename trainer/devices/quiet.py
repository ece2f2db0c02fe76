"""Keeps the start-up messages of libraries out of the terminal; all other lines are shown."""

import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def without(greeting: re.Pattern) -> Iterator[None]:
    """Inside this context, lines that any library writes to stderr are held; its end shows them.

    Args:
      greeting: lines whose beginning matches this pattern are not shown.
    """
    with tempfile.TemporaryFile() as said:
        try:
            with _stderr_into(said.fileno()):
                yield
        finally:
            said.seek(0)
            lines = said.read().decode(errors='replace').splitlines(keepends=True)
            sys.stderr.write(''.join(line for line in lines if not greeting.match(line)))


@contextlib.contextmanager
def _stderr_into(target: int) -> Iterator[None]:
    sys.stderr.flush()
    own = os.dup(2)
    os.dup2(target, 2)
    try:
        yield
    finally:
        os.dup2(own, 2)
        os.close(own)
