"""One measurement in a process of its own, which dies alone if it takes too much."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from tools.benchmark.rows import OUT_OF_MEMORY, OUT_OF_TIME, Outcome

_POLL_SECONDS = 0.05
# What libraries say when they are refused memory.
MEMORY_WORDS = (
    'bad_alloc',
    'MemoryError',
    'ResourceExhausted',
    'not enough memory',
    "can't allocate memory",
)


class Limits(NamedTuple):
    """What a child may take: resident bytes, the libraries it has loaded included, and seconds."""

    memory_bytes: int
    seconds: float


class _End(NamedTuple):
    """How a child ended. `verdict`: why it was stopped, if it was; `highest`: bytes seen."""

    verdict: str | None
    highest: int
    code: int


def resident_bytes(pid: int | str = 'self') -> int:
    """Memory of a process that lies in RAM; 0 if there is no such process."""
    try:
        pages = Path(f'/proc/{pid}/statm').read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf('SC_PAGE_SIZE')


def run_child(command: list[str], environment: dict[str, str], limits: Limits) -> Outcome:
    """Runs a command that measures, and waits for it.

    Args:
      command: prints JSON objects, one a line, see `tools.benchmark.child`.
      environment: variables beside those of this process.
      limits: it and the processes that it started are killed above them.

    Returns:
      What the command told, or why it did not.
    """
    with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=told,
            stderr=said,
            env=os.environ | environment,
            start_new_session=True,
        )
        try:
            _offer_to_oom_killer(process.pid)
            verdict, highest = _watch(process.pid, limits)
        finally:
            # Not reaped yet: the group's number cannot be anybody else's.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            code = process.wait()
        told.seek(0)
        said.seek(0)
        lines = said.read().decode(errors='replace').strip().splitlines()
        return _outcome(_End(verdict, highest, code), _merge(told.read()), lines)


def _offer_to_oom_killer(pid: int) -> None:
    """Before anybody else, should the whole machine run out of memory."""
    with contextlib.suppress(OSError):
        Path(f'/proc/{pid}/oom_score_adj').write_text('1000')


def _watch(pid: int, limits: Limits) -> tuple[str | None, int]:
    """Waits until the process ends or must be ended; why, and the most memory seen."""
    deadline, highest = time.monotonic() + limits.seconds, 0
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        resident = resident_bytes(pid)
        highest = max(highest, resident)
        if resident > limits.memory_bytes:
            return OUT_OF_MEMORY, highest
        if time.monotonic() > deadline:
            return OUT_OF_TIME, highest
        time.sleep(_POLL_SECONDS)
    return None, highest


def _merge(told: bytes) -> dict[str, Any]:
    """All objects in one, their seconds in a list; a line cut short by death is left out."""
    merged: dict[str, Any] = {'seconds': [], 'settings': {}}
    for line in told.decode(errors='replace').splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        merged['settings'] |= values.pop('settings', {})
        if 'seconds' in values:
            merged['seconds'].append(values.pop('seconds'))
        merged |= values
    return merged


def _outcome(end: _End, told: dict[str, Any], lines: list[str]) -> Outcome:
    status = end.verdict or told.get('status') or _status(end.code, lines)
    peak = told.get('peak_bytes')
    if peak is None and 'before_bytes' in told:
        peak = max(0, end.highest - told['before_bytes'])
    return Outcome(status, told['seconds'], peak, told['settings'])


def _status(code: int, lines: list[str]) -> str:
    """Of a child that did not say how it ended."""
    last = lines[-1] if lines else 'said nothing'
    if code == -signal.SIGKILL or any(w in line for w in MEMORY_WORDS for line in lines[-5:]):
        return OUT_OF_MEMORY
    if code < 0:
        return f'failed: {signal.Signals(-code).name}: {last}'
    return f'failed: {last}'
