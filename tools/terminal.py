"""Standard output that may be closed before its end: python -m tools.predict ... | head."""

import contextlib
import os
import sys
from collections.abc import Iterator

# What a shell says of a program that SIGPIPE has ended.
_BROKEN_PIPE = 141


@contextlib.contextmanager
def while_somebody_reads() -> Iterator[None]:
    """Ends the program quietly once nobody reads what it prints within.

    Not by the signal's default action: that would also end it where a server hangs up.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What is still in the buffer must go somewhere when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(_BROKEN_PIPE)
