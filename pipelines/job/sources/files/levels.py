"""Looks into the folders of a folder or of a zip, level by level."""

import functools
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
    if os.path.isdir(path):
        return functools.partial(_look, path)
    return functools.partial(_look_into_tree, _tree(path))


def _look(path: str, place: str) -> Level:
    level = Level([], [])
    try:
        entries = sorted(os.scandir(os.path.join(path, place)), key=lambda e: e.name)
    except OSError as error:
        refuse_folder(error)
    for entry in entries:
        # A split may be a link to a folder. Other links to folders are no folders here.
        follow = splits.split_named(entry.name) is not None
        if not is_clutter(entry.name):
            is_folder = entry.is_dir(follow_symlinks=follow)
            (level.folders if is_folder else level.files).append(entry.name)
    return level


class _Node(NamedTuple):
    """A folder in a zip. Whole paths would take memory with the square of a name's length."""

    folders: dict[str, '_Node']
    files: list[str]


def _tree(path: str) -> _Node:
    root = _Node({}, [])
    for name, _, usable in zips.names(path):
        if usable and not is_clutter(name):
            *folders, file = name.split('/')
            node = root
            for folder in folders:
                node = node.folders.setdefault(folder, _Node({}, []))
            node.files.append(file)
    return root


def _look_into_tree(root: _Node, place: str) -> Level:
    node = root
    for folder in place.split('/')[:-1]:
        node = node.folders[folder]
    return Level(sorted(node.folders), sorted(set(node.files)))
