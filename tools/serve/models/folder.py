"""The folder of a model: which versions lie there, and which of them are wanted."""

import contextlib
import dataclasses
import os
from collections.abc import Collection, Mapping

from pipelines.format.errors import LonghaulError

_GRAPH = 'saved_model.pb'
# An int64 of the protocol.
_MOST = (1 << 63) - 1
# What each version has besides, and what is read of it.
_PARTS = ('variables', 'assets.extra')
Stamp = tuple[tuple[str, int, int, int], ...]


@dataclasses.dataclass(frozen=True)
class Policy:
    """Which versions are wanted: the newest one, or all, or those that are named.

    Attributes:
      numbers: of the versions; None for the newest.
      every: all of them are wanted.
      labels: number of a version by its label; such versions are wanted too.
    """

    numbers: frozenset[int] | None = None
    every: bool = False
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def chosen(self, found: Collection[int]) -> set[int]:
        """Those of the versions on the disk that are wanted."""
        if self.every:
            return set(found)
        labelled = set(self.labels.values()) & set(found)
        if self.numbers is not None:
            return set(self.numbers & set(found) | labelled)
        return {max(found)} | labelled if found else set()


def policy_of(versions: str, labels: Collection[str]) -> Policy:
    """The policy that flags ask for.

    Args:
      versions: 'newest', 'all', or numbers with commas between them.
      labels: LABEL=VERSION each.

    Raises:
      LonghaulError: naming the flag.
    """
    found = {}
    for text in labels:
        label, _, number = text.partition('=')
        if not label or not _is_version(number) or set(label) & set('/:'):
            raise LonghaulError(f'--label={text}: LABEL=VERSION is needed, such as stable=10000')
        if label in found:
            raise LonghaulError(f'--label={text}: the label is given twice; give it once')
        found[label] = int(number)
    if versions in ('newest', 'all'):
        return Policy(every=versions == 'all', labels=found)
    parts = [part.strip() for part in versions.split(',')]
    if not all(map(_is_version, parts)):
        raise LonghaulError(
            f'--versions={versions}: newest, all, or numbers are needed, such as 10000,12000'
        )
    return Policy(numbers=frozenset(map(int, parts)), labels=found)


def check(folder: str) -> None:
    """Refuses what is no folder of versions.

    Raises:
      LonghaulError: saying what to name in its place.
    """
    if not os.path.isdir(folder):
        raise LonghaulError(f'EXPORT_DIR={folder}: no such folder; name RUN/export')
    if os.path.exists(os.path.join(folder, _GRAPH)):
        path = os.path.abspath(folder)
        above, number = os.path.split(path)
        raise LonghaulError(
            f'EXPORT_DIR={folder}: this is one version; name {above}, with --versions={number}'
        )


def versions_in(folder: str) -> dict[int, Stamp]:
    """The versions on the disk, and what changes if one is replaced by another of its number.

    Raises:
      OSError: if the folder cannot be read.
    """
    found = {}
    for name in os.listdir(folder):
        if _is_version(name):
            try:
                found[int(name)] = _stamp(os.path.join(folder, name))
            except OSError:  # A version that is being copied, or removed.
                continue
    return found


def _stamp(version: str) -> Stamp:
    files = [_GRAPH]
    for part in _PARTS:
        with contextlib.suppress(FileNotFoundError):
            names = sorted(os.listdir(os.path.join(version, part)))
            files += [os.path.join(part, name) for name in names]
    stats = [(file, os.stat(os.path.join(version, file))) for file in files]
    return tuple((file, stat.st_ino, stat.st_mtime_ns, stat.st_size) for file, stat in stats)


def path_of(folder: str, number: int) -> str:
    """The folder of a version, whose name may have zeros in front."""
    names = [n for n in os.listdir(folder) if _is_version(n) and int(n) == number]
    return os.path.join(folder, min(names, default=str(number)))


def _is_version(text: str) -> bool:
    return text.isascii() and text.isdecimal() and int(text[:20]) <= _MOST and len(text) < 20
