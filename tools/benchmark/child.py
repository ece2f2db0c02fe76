"""A measurement in a process of its own, which dies alone if it takes too much."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from tools.benchmark import memory
from tools.terminal import last_line

ROOT = Path(__file__).parents[2]
_POLL_SECONDS = 0.05


class Limits(NamedTuple):
    """What a child may take: resident bytes, the libraries it has loaded included, and seconds."""

    memory_bytes: int
    seconds: float


class Ended(NamedTuple):
    """How a child ended.

    `told`: what it told, by name. `said`: its stderr. `code`: its exit code, -N if signal N ended
    it. `seconds`: of the whole process. `exceeded`: which of the limits it was killed for, if any.
    `highest_bytes`: the most resident memory seen; 0 without limits.
    """

    told: dict[str, Any]
    said: str
    code: int
    seconds: float
    exceeded: str | None
    highest_bytes: int


def command(module: str, asked: dict[str, Any]) -> list[str]:
    """The command that runs the function `measure` of a module, see `in_child`; `asked` is JSON."""
    return [sys.executable, '-m', 'tools.benchmark.in_child', module, json.dumps(asked)]


def told_by(module: str, asked: dict[str, Any], *, what: str, **environment: str) -> dict[str, Any]:
    """Runs a child without limits; returns what it told, and the seconds of its process as 'whole'.

    Raises:
      LonghaulError: if it fails; `what` names the measurement.
    """
    ended = run_command(command(module, asked), environment=environment)
    if 'done' not in ended.told:
        raise LonghaulError(f'{what} failed: {last_line(ended.said)}')
    del ended.told['done']
    return ended.told | {'whole': ended.seconds}


def run_command(
    command: list[str],
    *,
    environment: dict[str, str] | None = None,
    limits: Limits | None = None,
) -> Ended:
    """Runs a command that prints JSON objects, one a line.

    Args:
      command: a program and its arguments.
      environment: variables beside those of this process.
      limits: above them the child and what it started are killed; None: there are none.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=said,
            env=os.environ | (environment or {}),
            cwd=ROOT,
            start_new_session=True,
        )
        try:
            _offer_to_oom_killer(process.pid)
            exceeded, highest = _wait(process.pid, limits)
            seconds = time.perf_counter() - begun
        finally:
            # The child is not reaped yet: the number of its group cannot be anybody else's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        told.seek(0)
        said.seek(0)
        text = said.read().decode(errors='replace')
        return Ended(_merged(told.read()), text, code, seconds, exceeded, highest)


def _offer_to_oom_killer(pid: int) -> None:
    """Lets the system end the child first, should the machine run out of memory."""
    with contextlib.suppress(OSError):
        Path(f'/proc/{pid}/oom_score_adj').write_text('1000')


def _wait(pid: int, limits: Limits | None) -> tuple[str | None, int]:
    """Waits until a process ends or must be ended; returns why, and the most memory seen."""
    if limits is None:
        # Without limits nothing is polled, so that the end is noticed at once.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        return None, 0
    deadline, highest = time.monotonic() + limits.seconds, 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        resident = memory.resident(pid)
        highest = max(highest, resident)
        if resident > limits.memory_bytes:
            return 'memory', highest
        if time.monotonic() > deadline:
            return 'time', highest
        time.sleep(_POLL_SECONDS)
    return None, highest


def _merged(told: bytes) -> dict[str, Any]:
    """Merges the objects of all lines; leaves out what is no JSON, such as a line cut short."""
    merged: dict[str, Any] = {}
    for line in told.decode(errors='replace').split('\n'):
        with contextlib.suppress(ValueError, TypeError):
            merged |= json.loads(line)
    return merged
