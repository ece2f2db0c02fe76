"""Writes shards at the same time, each in a process of its own.

Threads of Python read and write documents no faster than one thread does. A forked process has all
that it needs at once, and its counts come back through a pipe.
"""

import ctypes
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any, NoReturn

from pipelines.format.errors import LonghaulError
from pipelines.job import metrics
from pipelines.job.encoder import needs_tensorflow
from pipelines.job.plan import Plan

_DIE_WITH_PARENT = 1
_DONE, _FAILED, _COUNTED = 'done', 'failed', 'counted'


def possible(plan: Plan) -> bool:
    """Whether a process may fork to write shards of a plan.

    TensorFlow and the clients of object stores have threads and connections: no fork has them.
    """
    local = '://' not in plan.options.output
    return sys.platform == 'linux' and local and not needs_tensorflow(plan.spec)


class Processes:
    """Forked processes, and what they return."""

    def __init__(self, plan: Plan, most: int) -> None:
        """Has none yet; `most` run at the same time."""
        self._plan, self._most = plan, most
        self._running: dict[Connection, int] = {}

    def start(self, work: Callable[[], dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Starts a function in a process, and yields the results of those that make room for it."""
        yield from self._results(self._most - 1)
        ours, theirs = multiprocessing.Pipe(duplex=False)
        parent, child = os.getpid(), os.fork()
        if not child:
            _be_child(theirs, work, parent)
        theirs.close()
        self._running[ours] = child

    def results(self) -> Iterator[dict[str, Any]]:
        """Waits for all processes, and yields their results."""
        yield from self._results(0)

    def _results(self, most: int) -> Iterator[dict[str, Any]]:
        """Yields results until `most` processes run; after an error none runs."""
        try:
            while len(self._running) > most:
                for ready in multiprocessing.connection.wait([*self._running]):
                    assert isinstance(ready, Connection)
                    yield from self._received(ready)
        except BaseException:
            self._kill()
            raise

    def _received(self, ready: Connection) -> Iterator[dict[str, Any]]:
        try:
            what, content = ready.recv()
        except EOFError as error:
            status = self._end(ready)
            raise LonghaulError(
                f'--output={self._plan.options.output}: a process that wrote a shard has died '
                f'({status}); run the same command again, with --shards=N for more and smaller '
                'shards if memory was short'
            ) from error
        if what == _COUNTED:
            metrics.add(*content)
            return
        self._end(ready)
        if what == _FAILED:
            raise content
        yield content

    def _end(self, ready: Connection) -> str:
        """Forgets a process that has ended, and says how it ended."""
        ready.close()
        code = os.waitstatus_to_exitcode(os.waitpid(self._running.pop(ready), 0)[1])
        return f'signal {-code}' if code < 0 else f'exit code {code}'

    def _kill(self) -> None:
        for ready, child in [*self._running.items()]:
            os.kill(child, signal.SIGKILL)
            self._end(ready)


def _be_child(pipe: Connection, work: Callable[[], dict[str, Any]], parent: int) -> NoReturn:
    """Works, tells its result, and ends. It flushes and closes nothing of the parent's."""
    code = 1
    try:
        # A parent that dies takes its children with it, and Ctrl-C is for the parent to tell.
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if os.getppid() == parent:
            metrics.send_to(lambda *counted: pipe.send((_COUNTED, counted)))
            pipe.send((_DONE, work()))
            code = 0
    except BaseException as error:  # noqa: BLE001 - raised by the parent
        # Some errors cannot be pickled.
        with_text = error if isinstance(error, LonghaulError) else None
        pipe.send((_FAILED, with_text or RuntimeError(f'{type(error).__name__}: {error}')))
    finally:
        os._exit(code)
