"""The child's side of a measurement: `python -m tools.benchmark.in_child MODULE ASKED`.

MODULE has a function `measure(asked, tell)`; ASKED is a JSON object. What the function tells is
printed at once, a JSON object a line. The child ends with {"done": true}, or with {"error": "..."}
and the exit code 1.
"""

import contextlib
import ctypes
import importlib
import json
import os
import signal
import sys
import traceback
from typing import Any, Protocol

from pipelines.format.errors import first_line

_PR_SET_PDEATHSIG = 1


class Tell(Protocol):
    """Takes values of JSON by name; a later value takes the place of an earlier one."""

    def __call__(self, **values: Any) -> None:  # noqa: D102 - the class says it
        ...


def own_stdout() -> Tell:
    """Sends what libraries print to stderr from here on: stdout holds JSON lines alone."""
    channel = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def tell(**values: Any) -> None:
        channel.write(json.dumps(values) + '\n')
        channel.flush()

    return tell


def main(module: str, asked: str) -> int:
    """Measures what the arguments of the command ask for; returns the exit code."""
    # This process ends with its parent, even where the parent is killed.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tell = own_stdout()
    try:
        importlib.import_module(module).measure(json.loads(asked), tell)
    except Exception as error:
        traceback.print_exc()
        tell(error=f'{type(error).__name__}: {first_line(error)}')
        return 1
    tell(done=True)
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
