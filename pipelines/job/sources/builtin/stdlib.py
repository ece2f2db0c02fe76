"""builtin:stdlib - the source files of Python's own standard library, labelled by package.

Real documents of very different length without a download. Which files there are depends on the
Python that runs the job; records made by one Python are not those of another.
"""

import dataclasses
import functools
import os
import sysconfig
from collections import Counter
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected

# Some distributions of Python leave the tests out; they would be half of all.
_LEFT_OUT = frozenset(
    {'__pycache__', 'dist-packages', 'idle_test', 'site-packages', 'test', 'tests'}
)
# Fewer documents are no class to learn.
_LEAST_FILES = 20


def _root() -> str:
    return sysconfig.get_path('stdlib')


@functools.lru_cache(maxsize=1)
def _files() -> tuple[tuple[str, str], ...]:
    """(package, path below the library with '/') of all documents, in a fixed order."""
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
class Stdlib:
    """Packages of the standard library with enough files; they have no split of their own."""

    kind: str = 'text'
    channels: int = 1

    def groups(self) -> list[Group]:
        """One, all train; the job cuts a test split out."""
        if not _files():
            raise LonghaulError(
                f'--source=builtin:stdlib: {_root()} holds no source files; use a Python that was '
                'installed with them'
            )
        return [Group('stdlib', 'train')]

    def items(self, group: Group) -> Iterator[Item[str]]:
        """Files by path."""
        for package, path in _files():
            yield Item(path, group.split, package, group.path, path)

    def read(self, group: str, items: Sequence[Item[str]]) -> Iterator[Payload | Rejected]:
        """The files' bytes."""
        del group
        for item in items:
            try:
                with open(os.path.join(_root(), *item.place.split('/')), 'rb') as file:
                    yield Payload(file.read())
            except OSError as error:
                yield Rejected('the file cannot be read', type(error).__name__)

    def where(self, item: Item[str]) -> str:
        """The path below the library."""
        return item.place

    def class_names(self) -> None:
        """Known only when all items are listed."""

    def image_size(self) -> None:
        """Texts have none."""

    def estimated_items(self) -> int:
        """By size, in documents of the usual three hundred bytes."""
        return sum(os.path.getsize(os.path.join(_root(), path)) for _, path in _files()) // 300 + 1
