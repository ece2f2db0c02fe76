"""Sessions of streams: what the server keeps of sequences that have not ended.

A session is a state of the model, 1 kB at 128 units, whatever it has read. There are so many at
most; one that nobody uses for long enough ends.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import Iterator

import grpc

from tools.serve.core import Core
from tools.serve.models.loaded import Arrays
from tools.serve.models.version import Version
from tools.serve.refusal import Refusal, busy, missing


class Session:
    """One sequence.

    Attributes:
      name: by which a client goes on with it.
      version: that reads it; it stays loaded as long as the session lives.
      state: [1, U] by name.
      steps: read so far.
      rest: bytes of an incomplete step, or of an incomplete character.
    """

    def __init__(self, version: Version, *, state: Arrays) -> None:
        self.name, self.version, self.state = secrets.token_urlsafe(16), version, state
        self.steps, self.rest, self.used, self.taken = 0, b'', time.monotonic(), False
        self.held = contextlib.ExitStack()


class Sessions:
    """The sessions of one server; used in the event loop's thread alone."""

    def __init__(self, core: Core) -> None:
        self._core, self._sessions = core, dict[str, Session]()

    def begin(self, version: Version, state: Arrays) -> Session:
        """A new session; it is kept for a while after its client has gone.

        Args:
          version: that the caller holds.
          state: before the first step.

        Raises:
          Refusal: 429, if too many are kept.
        """
        self.expire()
        if len(self._sessions) >= self._core.limits.streams:
            raise busy(
                f'{len(self._sessions)} streams are kept (--max_streams); end one, or try again '
                'later'
            )
        session = Session(version, state=state)
        session.held.enter_context(version.held())
        self._sessions[session.name] = session
        self._count()
        return session

    def resume(self, name: str) -> Session:
        """A session whose client has come back; it goes on behind the last whole step.

        Raises:
          Refusal: 404 if it has ended, 409 if another client uses it.
        """
        self.expire()
        if name not in self._sessions:
            raise missing('the session has ended; begin another one')
        session = self._sessions[name]
        if session.taken:
            raise Refusal(grpc.StatusCode.ABORTED, 'the session is in use; close the other client')
        session.rest = b''
        return session

    @contextlib.contextmanager
    def using(self, session: Session) -> Iterator[None]:
        """Keeps a session for one client; its time of idleness begins afterwards."""
        session.taken = True
        try:
            yield
        finally:
            session.taken, session.used = False, time.monotonic()

    def end(self, session: Session) -> None:
        """Forgets a session."""
        if self._sessions.pop(session.name, None) is not None:
            session.held.close()
            self._count()

    def expire(self) -> None:
        """Forgets sessions that nobody has used for too long."""
        oldest = time.monotonic() - self._core.limits.stream_seconds
        for session in list(self._sessions.values()):
            if not session.taken and session.used < oldest:
                self.end(session)

    async def watch(self) -> None:
        """Forgets them in time, until it is cancelled."""
        while True:
            await asyncio.sleep(min(10.0, self._core.limits.stream_seconds))
            self.expire()

    def end_all(self) -> None:
        """Forgets all of them: the server stops."""
        for session in list(self._sessions.values()):
            self.end(session)

    def _count(self) -> None:
        self._core.metrics.streams.set(len(self._sessions))
