"""Finds the folders of classes of each split, in a folder or in a zip.

A folder that holds nothing but one folder of folders is a wrapper: what counts lies in the inner
one. What could be a split or a class is refused by name.
"""

import dataclasses
import os
from collections.abc import Callable
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group
from pipelines.job.sources import splits
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.files import zips

# Splits below classes are looked for in so many classes.
_LOOKED_INTO = 4


class Level(NamedTuple):
    """The names of folders and files directly in a folder, without clutter, in order."""

    folders: list[str]
    files: list[str]


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where the classes are.

    Attributes:
      groups: a part for each split, train first.
      names: what each group is, below the source: 'Training/'; '' for the source itself.
      unread: names of files beside the splits and the wrapped folder, which are not read.
    """

    groups: list[Group]
    names: list[str]
    unread: list[str]


def find_layout(source: str, path: str, suffixes: tuple[str, ...]) -> Layout:
    """Finds the splits of a folder or a zip, through wrappers.

    Args:
      source: the value of --source.
      path: folder or zip.
      suffixes: of the files that are items without a class.

    Raises:
      LonghaulError: for splits without train, a split that is there twice, and folders that could
        be splits or classes.
    """
    return _Finder(source, suffixes).find(path)


class _Finder:
    def __init__(self, source: str, suffixes: tuple[str, ...]) -> None:
        self._source, self._suffixes = source, suffixes
        self._unread: list[str] = []

    def find(self, path: str) -> Layout:
        """The layout of a folder or a zip."""
        look = _looks(path)
        top, level = self._unwrapped(look)
        packed = [n for n in level.files if n.lower().endswith('.zip') and os.path.isdir(path)]
        parts = [*level.folders, *packed]
        named = [(n, split) for n in parts if (split := splits.split_named(_stem(n, packed)))]
        if not named:
            self._refuse_unclear(look, top, level.folders)
            return Layout([_group(path, top, 'train')], [top], self._unread)
        self._check(named, [name for name in parts if name not in dict(named)])
        self._unread += [name for name in level.files if name not in packed]
        groups, names = [], []
        for name, split in sorted(named, key=lambda pair: SPLITS.index(pair[1])):
            if name in packed:
                own = os.path.join(path, top, name)
                inside, _ = self._unwrapped(_looks(own))
                groups.append(_group(own, inside, split))
                names.append(f'{top}{name}/{inside}' if inside else f'{top}{name}')
            else:
                inside, _ = self._unwrapped(look, f'{top}{name}/')
                groups.append(_group(path, inside, split))
                names.append(inside)
        return Layout(groups, names, self._unread)

    def _unwrapped(self, look: Callable[[str], Level], place: str = '') -> tuple[str, Level]:
        """The innermost folder that a place wraps, and what it holds."""
        level = look(place)
        while len(level.folders) == 1 and not self._items(level):
            below = f'{place}{level.folders[0]}/'
            inner = look(below)
            if not inner.folders or self._items(inner):
                break
            # A split that stands alone is a split, not a wrapper.
            if not place and splits.split_named(level.folders[0]):
                break
            self._unread += level.files
            place, level = below, inner
        return place, level

    def _items(self, level: Level) -> bool:
        return any(name.lower().endswith((*self._suffixes, '.zip')) for name in level.files)

    def _check(self, named: list[tuple[str, str]], others: list[str]) -> None:
        splits.refuse_twice(self._source, named)
        if others:
            raise LonghaulError(
                f'--source={self._source}: holds {splits.shown([n for n, _ in named])}, which are '
                f'names of splits, beside {splits.shown(others)}: give all of them names of splits '
                '(train, validation, test), or put all classes into one folder train'
            )
        if all(split != 'train' for _, split in named):
            raise LonghaulError(
                f'--source={self._source}: holds {splits.shown([n for n, _ in named])} and no '
                'train; name a folder that holds train, or put all classes into one folder train'
            )

    def _refuse_unclear(self, look: Callable[[str], Level], top: str, classes: list[str]) -> None:
        if len(classes) > 1 and all(map(splits.resembles_a_split, classes)):
            raise LonghaulError(
                f'--source={self._source}: {splits.shown(classes)} could be splits or classes; '
                'name splits train, validation and test, or put all classes into one folder train'
            )
        for name in classes[:_LOOKED_INTO]:
            inner = look(f'{top}{name}/').folders
            if len(inner) > 1 and all(map(splits.split_named, inner)):
                raise LonghaulError(
                    f'--source={self._source}: {top}{name} holds {splits.shown(inner)}: splits '
                    f'stand above the classes; move the files to {inner[0]}/{name} and so on'
                )


def _stem(name: str, packed: list[str]) -> str:
    return name[: -len('.zip')] if name in packed else name


def _group(path: str, inside: str, split: str) -> Group:
    if os.path.isdir(path):
        return Group(os.path.join(path, inside.rstrip('/')) if inside else path, split)
    return Group(path, split, inside)


def _looks(path: str) -> Callable[[str], Level]:
    """A function: the place of a folder ('' or 'a/b/') -> what it holds."""
    return _Folder(path).look if os.path.isdir(path) else _Zip(path).look


class _Folder:
    def __init__(self, path: str) -> None:
        self._path = path

    def look(self, place: str) -> Level:
        """What a folder below the path holds."""
        level = Level([], [])
        try:
            entries = sorted(os.scandir(os.path.join(self._path, place)), key=lambda e: e.name)
        except OSError as error:
            raise LonghaulError(
                f'--source: the folder {error.filename} cannot be listed ({error.strerror}); make '
                'it readable, or move it away'
            ) from error
        for entry in entries:
            # A split may be a link to a folder. Other links to folders are no folders here.
            follow = splits.split_named(entry.name) is not None
            if not is_clutter(entry.name):
                is_folder = entry.is_dir(follow_symlinks=follow)
                (level.folders if is_folder else level.files).append(entry.name)
        return level


class _Zip:
    def __init__(self, path: str) -> None:
        self._levels: dict[str, tuple[set[str], set[str]]] = {}
        for name, _, usable in zips.names(path):
            if usable and not is_clutter(name):
                self._add(name)

    def _add(self, name: str) -> None:
        folder, _, file = name.rpartition('/')
        self._levels.setdefault(f'{folder}/' if folder else '', (set(), set()))[1].add(file)
        while folder:
            folder, _, below = folder.rpartition('/')
            self._levels.setdefault(f'{folder}/' if folder else '', (set(), set()))[0].add(below)

    def look(self, place: str) -> Level:
        """What a folder in the zip holds."""
        folders, files = self._levels.get(place, (set(), set()))
        return Level(sorted(folders), sorted(files))
