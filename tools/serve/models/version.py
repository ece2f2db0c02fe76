"""One version of a model through its life, with who uses it."""

import asyncio
import contextlib
from collections.abc import Iterator

from tools.serve.models.folder import Stamp
from tools.serve.models.loaded import LoadedModel
from tools.serve.refusal import missing

# Names of TensorFlow Serving's ModelVersionStatus.State.
LOADING, AVAILABLE, UNLOADING, END = 'LOADING', 'AVAILABLE', 'UNLOADING', 'END'


class Version:
    """A version; it is used in the event loop's thread alone.

    Attributes:
      number: its name on the disk.
      stamp: of the files that it comes from.
      state: one of the four above.
      error: why it could not be loaded; ''.
    """

    def __init__(self, number: int, stamp: Stamp) -> None:
        self.number, self.stamp, self.state, self.error = number, stamp, LOADING, ''
        self.failed_at = 0.0
        self._model: LoadedModel | None = None
        self._users, self._unused = 0, asyncio.Event()
        self._unused.set()

    @property
    def model(self) -> LoadedModel:
        """What runs it.

        Raises:
          Refusal: if it is not loaded.
        """
        if self._model is None:
            raise missing(f'Version {self.number} is not loaded')
        return self._model

    def begin(self, model: LoadedModel) -> None:
        """Takes requests from here on."""
        self._model, self.state = model, AVAILABLE

    def fail(self, error: str, *, now: float) -> None:
        """Remembers that it could not be loaded."""
        self.state, self.error, self.failed_at = END, error, now

    @contextlib.contextmanager
    def held(self) -> Iterator['Version']:
        """Keeps it in memory."""
        self._users += 1
        self._unused.clear()
        try:
            yield self
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()

    async def end(self) -> LoadedModel | None:
        """Takes no more requests, waits for the last one; returns what is to be closed."""
        self.state = UNLOADING
        await self._unused.wait()
        model, self._model, self.state = self._model, None, END
        return model
