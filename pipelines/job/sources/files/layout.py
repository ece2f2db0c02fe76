"""Finds the folders of classes of each split, in a folder or in a zip.

A folder that holds nothing but one folder of folders is a wrapper: what counts lies in the inner
one. What could be a split or a class is refused by name.
"""

import dataclasses
import os
from collections.abc import Callable

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group
from pipelines.job.sources import splits
from pipelines.job.sources.files.levels import Level, looks_into

Look = Callable[[str], Level]
# Splits below classes are looked for in so many classes.
_LOOKED_INTO = 4


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
        look = looks_into(path)
        top, level = self._unwrapped(look)
        packed = _zips(level) if os.path.isdir(path) else []
        parts = [*level.folders, *packed]
        named = [(n, split) for n in parts if (split := splits.split_named(_unpacked(n)))]
        if not named:
            splits.refuse_resembling(self._source, parts)
            self._refuse_splits_below(look, top, level.folders)
            self._unread += [n for n in level.files if not n.lower().endswith(self._suffixes)]
            return Layout([_group(path, top, 'train')], [top], self._unread)
        self._check(named, [name for name in parts if name not in dict(named)])
        self._unread += [name for name in level.files if name not in packed]
        groups, names = [], []
        for name, split in sorted(named, key=lambda pair: SPLITS.index(pair[1])):
            if name in packed:
                own = os.path.join(path, top, name)
                inside = self._inside(looks_into(own), '', split, f'{top}{name}/')
                groups.append(_group(own, inside, split))
                names.append(f'{top}{name}/{inside}' if inside else f'{top}{name}')
            else:
                inside = self._inside(look, f'{top}{name}/', split)
                groups.append(_group(path, inside, split))
                names.append(inside)
        return Layout(groups, names, self._unread)

    def _unwrapped(self, look: Look) -> tuple[str, Level]:
        """The innermost folder that the source wraps, and what it holds."""
        place, level = '', look('')
        while len(level.folders) == 1:
            # A split that stands alone is a split, not a wrapper.
            if any(splits.split_named(_unpacked(name)) for name in (*level.folders, *_zips(level))):
                break
            below = f'{place}{level.folders[0]}/'
            inner = look(below)
            parts = [*inner.folders, *map(_unpacked, _zips(inner))]
            strays = self._items(level) or self._items(inner)
            if not parts or (strays and not _are_splits(parts)):
                break
            self._unread += level.files
            place, level = below, inner
        return place, level

    def _inside(self, look: Look, place: str, split: str, prefix: str = '') -> str:
        """The innermost folder that a split wraps; `prefix`: the name of its zip, for refusals."""
        level = look(place)
        while len(level.folders) == 1:
            below = f'{place}{level.folders[0]}/'
            inner, named = look(below), splits.split_named(level.folders[0])
            strays = self._items(level) or self._items(inner)
            if not inner.folders or (strays and named is None):
                break
            if named not in (None, split):
                raise LonghaulError(
                    f'--source={self._source}: {prefix}{below} is {named} in {split}; put its '
                    f'classes directly into {split}, or give it to {named}'
                )
            self._unread += level.files
            place, level = below, inner
        return place

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

    def _refuse_splits_below(self, look: Look, top: str, classes: list[str]) -> None:
        inner = {name: look(f'{top}{name}/').folders for name in classes[:_LOOKED_INTO]}
        holding = [name for name in inner if any(map(splits.split_named, inner[name]))]
        for name in holding:
            if len(inner[name]) > 1 and _are_splits(inner[name]):
                self._refuse_below(top, name, _named(inner[name]), classes, alone=len(holding) == 1)

    def _refuse_below(
        self, top: str, name: str, found: list[str], classes: list[str], *, alone: bool
    ) -> None:
        """Refuses a folder that holds splits; `alone`: no other folder seems to."""
        holds = f'--source={self._source}: {top}{name} holds {splits.shown(found)}'
        if alone:
            path = self._source.partition(':')[2]
            others = splits.shown([other for other in classes if other != name])
            raise LonghaulError(
                f'{holds}, which are names of splits, beside {others}; name {path}/{top}{name} '
                'itself (of a zip: unpack it first), or give these folders other names'
            )
        raise LonghaulError(
            f'{holds}: splits stand above the classes; move the files to {found[0]}/{name} and so '
            'on'
        )


def _named(names: list[str]) -> list[str]:
    return [name for name in names if splits.split_named(name)]


def _are_splits(names: list[str]) -> bool:
    """Whether all of some names are splits, or some of them are different splits."""
    found = _named(names)
    return found == names or len({splits.split_named(name) for name in found}) > 1


def _zips(level: Level) -> list[str]:
    return [name for name in level.files if name.lower().endswith('.zip')]


def _unpacked(name: str) -> str:
    """The name of a zip without its suffix; any other name as it is."""
    return name[: -len('.zip')] if name.lower().endswith('.zip') else name


def _group(path: str, inside: str, split: str) -> Group:
    if os.path.isdir(path):
        return Group(os.path.join(path, inside.rstrip('/')) if inside else path, split)
    return Group(path, split, inside)
