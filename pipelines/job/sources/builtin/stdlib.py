"""builtin:stdlib - source files of Python's standard library, labelled by package.

These are documents of very different lengths, without a download. The files are those of the Python
that runs the job: another version of Python gives other records.
"""

import dataclasses
import functools
import os
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected, Source

# Tests would be half of all files, and some distributions of Python lack them.
_LEFT_OUT = frozenset(
    {'__pycache__', 'dist-packages', 'idle_test', 'site-packages', 'test', 'tests'}
)
# A class of fewer documents is too small to learn.
_LEAST_FILES = 20


def _root() -> str:
    return sysconfig.get_path('stdlib')


@functools.lru_cache(maxsize=1)
def _files() -> tuple[tuple[str, str], ...]:
    """(package, path below the library with '/') of each document, in a fixed order."""
    found = []
    root = _root()
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(names):
            path = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')
            package, below, _ = path.partition('/')
            if below and name.endswith('.py'):
                found.append((package, path))
    sizes = Counter(package for package, _ in found)
    return tuple(entry for entry in found if sizes[entry[0]] >= _LEAST_FILES)


@dataclasses.dataclass(frozen=True)
class Stdlib(Source[str]):
    """Files of packages that have enough of them. They have no splits."""

    kind: str = 'text'
    channels: int = 1

    def groups(self) -> list[Group]:
        """One group of train. The job cuts a test split out of it."""
        if not _files():
            raise LonghaulError(
                f'--source=builtin:stdlib: {_root()} holds no source files; use a Python that was '
                'installed with them'
            )
        return [Group('stdlib', 'train')]

    def items(self, group: Group) -> Iterator[Item[str]]:
        """Lists files by path."""
        for package, path in _files():
            yield Item(path, group.split, package, group.path, path)

    def read(self, group: str, items: Sequence[Item[str]]) -> Iterator[Payload | Rejected]:
        """Reads files."""
        del group
        for item in items:
            try:
                with open(os.path.join(_root(), *item.place.split('/')), 'rb') as file:
                    yield Payload(file.read())
            except OSError as error:
                yield Rejected('the file cannot be read', type(error).__name__)

    def where(self, item: Item[str]) -> str:
        """The path of the file below the library."""
        return item.place

    def estimated_items(self) -> int:
        """A number by size: a document is taken to have 300 bytes."""
        return sum(os.path.getsize(os.path.join(_root(), path)) for _, path in _files()) // 300 + 1
