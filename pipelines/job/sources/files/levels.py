"""Looks into the folders of a folder or of a zip, level by level."""

import dataclasses
import os
from collections.abc import Callable
from typing import NamedTuple

from pipelines.job.sources import splits
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.files import zips
from pipelines.job.sources.listing import refuse_folder


class Level(NamedTuple):
    """The names of folders and files directly in a folder, without clutter, in order."""

    folders: list[str]
    files: list[str]


def looks_into(path: str) -> Callable[[str], Level]:
    """A function: the place of a folder ('' or 'a/b/') in a folder or a zip -> what it holds."""
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
            refuse_folder(error)
        for entry in entries:
            # A split may be a link to a folder. Other links to folders are no folders here.
            follow = splits.split_named(entry.name) is not None
            if not is_clutter(entry.name):
                is_folder = entry.is_dir(follow_symlinks=follow)
                (level.folders if is_folder else level.files).append(entry.name)
        return level


@dataclasses.dataclass
class _Node:
    """A folder in a zip. Whole paths would take memory with the square of a name's length."""

    folders: dict[str, '_Node'] = dataclasses.field(default_factory=dict)
    files: list[str] = dataclasses.field(default_factory=list)

    def below(self, name: str) -> '_Node':
        """A folder in this one, which is made if it is not there."""
        return self.folders.setdefault(name, _Node())


class _Zip:
    def __init__(self, path: str) -> None:
        self._root = _Node()
        for name, _, usable in zips.names(path):
            if usable and not is_clutter(name):
                *folders, file = name.split('/')
                node = self._root
                for folder in folders:
                    node = node.below(folder)
                node.files.append(file)

    def look(self, place: str) -> Level:
        """What a folder in the zip holds."""
        node = self._root
        for folder in place.split('/')[:-1]:
            node = node.below(folder)
        return Level(sorted(node.folders), sorted(set(node.files)))
