"""The loaded versions of one model: what appears on the disk is loaded, what is removed ends.

A newer version is loaded and warmed up beside the older one, and takes over once it is ready. The
older one answers the requests that it has begun before it ends. All of this happens in the event
loop's thread; a thread of its own loads and closes.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from pipelines.format.errors import first_line, printable
from tools.serve.models import folder as folders
from tools.serve.models.folder import Policy, Stamp
from tools.serve.models.loaded import LoadedModel
from tools.serve.models.version import AVAILABLE, END, Version
from tools.serve.models.warmup import warm_up
from tools.serve.refusal import invalid, missing

# Seconds after which a version that could not be loaded is tried again.
_AGAIN = 60.0
# Ended versions whose status is kept.
_REMEMBERED = 100


class Versions:
    """The versions of one model.

    Attributes:
      name: of the model.
    """

    def __init__(
        self,
        name: str,
        folder: str,
        *,
        policy: Policy,
        seconds: float,
        warm: bool = True,
        say: Callable[[str], None],
    ) -> None:
        """Nothing is loaded yet, see `refresh`.

        Args:
          name: of the model.
          folder: of its versions.
          policy: which of them are wanted.
          seconds: after which the computation of a request is given up.
          warm: whether a version's warm-up requests are replayed before it takes others.
          say: takes a line for people.
        """
        self.name, self._folder, self._policy = name, folder, policy
        self._seconds, self._warm, self._say, self._unread = seconds, warm, say, ''
        self._versions: dict[int, Version] = {}
        self._loader = ThreadPoolExecutor(1, thread_name_prefix='loader')
        self._ending: set[asyncio.Task[None]] = set()

    def find(self, number: int | None = None, label: str = '') -> Version:
        """A version that takes requests: the newest, or the one named.

        Raises:
          Refusal: if there is none.
        """
        if label:
            if label not in self._policy.labels:
                raise invalid(f'Unrecognized servable version label: {label}')
            number = self._policy.labels[label]
        available = self.available()
        found = max(available, default=None) if number is None else number
        if found not in available:
            asked = f'Latest({self.name})' if number is None else f'Specific({self.name}, {number})'
            raise missing(f'Servable not found for request: {asked}')
        return self._versions[found]

    def all(self, number: int | None = None) -> list[Version]:
        """All versions that were seen, or the one named, in the order of their numbers.

        Raises:
          Refusal: if there is none.
        """
        if number is not None and number not in self._versions:
            raise missing(f'Could not find version {number} of model {self.name}')
        if not self._versions:
            raise missing(f'Could not find any versions of model {self.name}')
        return [v for n, v in sorted(self._versions.items()) if number in (None, n)]

    def available(self) -> list[int]:
        """The numbers of the versions that take requests, in order."""
        return sorted(n for n, v in self._versions.items() if v.state == AVAILABLE)

    async def watch(self, *, every: float) -> None:
        """Looks at the folder again and again, until it is cancelled.

        Args:
          every: seconds between two looks.
        """
        while True:
            await asyncio.sleep(every)
            try:
                await self.refresh()
            except Exception as error:  # The loaded versions are served, whatever happens here.
                self._say_once(f'{self._folder}: {printable(first_line(error))}; tried again')

    async def refresh(self) -> None:
        """Loads what is wanted and not loaded; then ends what is not wanted any more."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._loader, folders.versions_in, self._folder)
        except OSError as error:
            # What cannot be read is not removed: the loaded versions stay.
            self._say_once(f'{self._folder}: cannot be read ({error.strerror}); it is tried again')
            return
        self._unread = ''
        tried: set[int] = set()
        # A version that fails leaves its place to another one.
        while todo := self._wanted(found) - tried:
            tried |= todo
            for number in sorted(todo):
                await self._load(number, found[number])
        wanted = self._wanted(found)
        ready = not wanted or not wanted.isdisjoint(self.available())
        for number in self.available():
            if ready and number not in wanted:
                self._end(self._versions[number])
        self._forget(found)

    def _wanted(self, found: dict[int, Stamp]) -> set[int]:
        return self._policy.chosen([n for n, stamp in found.items() if not self._fails(n, stamp)])

    def _fails(self, number: int, stamp: Stamp) -> bool:
        """Whether these files could not be loaded a short time ago."""
        version = self._versions.get(number)
        if version is None or not version.error or version.stamp != stamp:
            return False
        return time.monotonic() < version.failed_at + _AGAIN

    async def _load(self, number: int, stamp: Stamp) -> None:
        """Loads a version, unless it is loaded from these very files."""
        before = self._versions.get(number)
        # One that ends may be held for long, by a stream: it is loaded once more.
        if before is not None and before.state == AVAILABLE and before.stamp == stamp:
            return
        version = Version(number, stamp)
        if before is None or before.state == END:
            self._versions[number] = version
        begun = time.monotonic()
        try:
            loop = asyncio.get_running_loop()
            model, requests = await loop.run_in_executor(self._loader, self._read, number)
        # TensorFlow says in many ways that a file is damaged.
        except Exception as error:
            version.fail(first_line(error), now=time.monotonic())
            why = f'{self.name} {number}: cannot be loaded ({printable(version.error)})'
            if self._versions[number] is version:
                self._say(f'{why}; it is tried again in {_AGAIN:.0f} s, or once it changes')
            else:
                self._versions[number].stamp = stamp
                self._say(f'{why}; the loaded one stays until it changes again')
            return
        self._versions[number] = version
        version.begin(model)
        took = time.monotonic() - begun
        self._say(f'{self.name} {number}: ready after {took:.1f} s, {requests} warm-up requests')
        if before is not None and before.state == AVAILABLE:
            self._end(before)

    def _read(self, number: int) -> tuple[LoadedModel, int]:
        path = folders.path_of(self._folder, number)
        model = LoadedModel(path, seconds=self._seconds)
        try:
            return model, warm_up(model, path) if self._warm else 0
        except BaseException:
            model.close()
            raise

    def _end(self, version: Version) -> None:
        task = asyncio.ensure_future(self._ended(version))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _ended(self, version: Version) -> None:
        model = await version.end()
        if model is not None:
            await asyncio.get_running_loop().run_in_executor(self._loader, model.close)
        self._say(f'{self.name} {version.number}: unloaded')

    def _forget(self, found: dict[int, Stamp]) -> None:
        """Bounds what is remembered of ended versions."""
        ended = [n for n, v in sorted(self._versions.items()) if v.state == END and n not in found]
        for number in ended[:-_REMEMBERED]:
            del self._versions[number]

    def _say_once(self, line: str) -> None:
        if line != self._unread:
            self._unread = line
            self._say(line)

    async def close(self) -> None:
        """Ends all versions; requests that have begun are answered first."""
        for version in self._versions.values():
            if version.state == AVAILABLE:
                self._end(version)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._ending)
        self._loader.shutdown()
