"""Lists the arrays below a folder, and finds out their splits."""

import os
from collections.abc import Iterator
from typing import NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Item
from pipelines.job.sources.arrays.labels import Entry, read_labels
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.files.folders import LINKED_FOLDER
from pipelines.job.sources.listing import names_in, refuse_folder
from pipelines.job.sources.splits import refuse_resembling, refuse_twice, split_named

_UNLABELLED = Entry(None, None)


class Place(NamedTuple):
    """`name`: the path below the folder, with '/'. `reason`: why it is rejected; '' for none."""

    name: str
    reason: str = ''


def arrays_in(folder: str) -> Iterator[Item[Place]]:
    """All arrays by name. Links to folders are listed too, and rejected when they are read."""
    labels = read_labels(folder)
    linked: set[str] = set()
    by_column = any(entry.split is not None for entry in labels.values())
    own = _has_splits(folder, by_column=by_column)
    for name in sorted({*_names(folder, linked), *labels}):
        entry, top = labels.get(name, _UNLABELLED), name.partition('/')[0]
        inside = split_named(top) if own else None
        split = entry.split or inside or 'train'
        reason, label = LINKED_FOLDER if name in linked else '', entry.label
        if own and not by_column:
            if inside is None:
                reason, label = f'outside of the folders {", ".join(SPLITS)}', None
            yield Item(name, split, label, folder, Place(name, reason))
        else:
            yield Item(f'{split}/{name}', split, label, folder, Place(name, reason))


def _has_splits(folder: str, *, by_column: bool) -> bool:
    """Whether folders of splits lie in a folder; `by_column`: the label file says the splits."""
    paths = {name: os.path.join(folder, name) for name in names_in(folder)}
    for name, path in paths.items():
        if split_named(name) and os.path.islink(path) and not os.path.isdir(path):
            raise LonghaulError(
                f'--source=npy:{folder}: {name} is a link that leads to no folder; mend or remove '
                'it'
            )
    folders = [name for name, path in paths.items() if os.path.isdir(path) and not is_clutter(name)]
    found = [(name, split) for name in folders if (split := split_named(name)) is not None]
    refuse_twice(f'npy:{folder}', found)
    if not found and not by_column:
        refuse_resembling(f'npy:{folder}', folders)
    return bool(found)


def _walked(folder: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """As os.walk, and also below links of splits that lie directly in the folder."""
    yield from os.walk(folder, onerror=refuse_folder)
    for name in names_in(folder):
        path = os.path.join(folder, name)
        if split_named(name) and os.path.islink(path):
            yield from os.walk(path, onerror=refuse_folder)


def _names(folder: str, linked: set[str]) -> Iterator[str]:
    """Paths below the folder with '/'; `linked` gets the links to folders that are not followed.

    A split may be a link. Other links may lead in circles.
    """
    for below, folders, files in _walked(folder):
        links = {name for name in folders if os.path.islink(os.path.join(below, name))}
        if below == folder:
            links = {name for name in links if split_named(name) is None}
        for file in (*files, *links):
            name = os.path.relpath(os.path.join(below, file), folder).replace(os.sep, '/')
            if is_clutter(name):
                continue
            if file in links:
                linked.add(name)
            if file in links or name.lower().endswith('.npy'):
                yield name
