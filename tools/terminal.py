"""Lines that commands print, and lines that other commands have printed."""

import contextlib
import os
import sys
from collections.abc import Iterator

# What a shell says of a program that SIGPIPE has ended.
_BROKEN_PIPE = 141


def say(line: str) -> None:
    """Prints a line about progress to stderr at once; stdout holds results."""
    print(line.rstrip(), file=sys.stderr, flush=True)


def last_line(text: str) -> str:
    """The last line of a log that is not empty, 400 characters of it at most."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1][:400] if lines else 'said nothing'


@contextlib.contextmanager
def while_somebody_reads() -> Iterator[None]:
    """Ends the program quietly once nobody reads its output: python -m tools.predict ... | head.

    Not by the signal's default action: that would also end the program where a server hangs up.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer must go somewhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
