"""images:DIR_OR_ZIP - one folder per class, PNG or JPEG, in a folder or a zip.

A folder may hold train/ and test/ (or train.zip and test.zip): these are then the source's splits.
"""

import dataclasses
import functools
import os
import posixpath
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected
from pipelines.job.sources.splits import find_splits
from pipelines.job.sources.tables import is_utf8

_SUFFIXES = ('.png', '.jpg', '.jpeg')


def _open_zip(path: str) -> zipfile.ZipFile:
    """Opens a zip once for all shards of a process; again if it has changed."""
    return _read_directory(path, os.stat(path).st_mtime_ns)


@functools.lru_cache(maxsize=4)
def _read_directory(path: str, changed: int) -> zipfile.ZipFile:
    del changed
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise LonghaulError(
            f'--source: {path} cannot be opened as a zip ({error}); name a folder or a whole zip'
        ) from error


@dataclasses.dataclass(frozen=True)
class Images:
    """Image files, labelled by the name of their folder."""

    path: str
    kind: str = 'image'
    channels: int = 3

    def groups(self) -> list[Group]:
        """The zip or folder of each split."""
        if not os.path.exists(self.path):
            raise LonghaulError(
                f'--source=images:{self.path}: no such folder or zip; name one with a folder per '
                'class'
            )
        if not os.path.isdir(self.path):
            return [Group(self.path, 'train')]
        found = find_splits(f'images:{self.path}', self.path, ('', '.zip'))
        if any(g.split == 'train' for g in found):
            return found
        return [Group(self.path, 'train')]

    def items(self, group: Group) -> Iterator[Item]:
        """All files CLASS/NAME; deeper folders belong to their class.

        A file of another kind in a class folder is listed too, and rejected by name when it is
        read: nothing is lost in silence. An image outside of any class folder has no label.
        """
        found = False
        names = _zip_names if _is_zip(group.path) else _folder_names
        for name, place in names(group.path):
            label, _, rest = name.partition('/')
            if not rest and not name.lower().endswith(_SUFFIXES):
                continue
            found = found or bool(rest)
            known = label if rest and is_utf8(label) else None
            yield Item(f'{group.split}/{name}', group.split, known, group.path, place)
        if not found:
            raise LonghaulError(
                f'--source=images:{self.path}: {group.path} holds no CLASS/NAME.png or .jpg; '
                'put the images of each class into a folder of its own'
            )

    def read(self, group: str, items: Sequence[Item]) -> Iterator[Payload | Rejected]:
        """The files' bytes."""
        for item in items:
            if not is_utf8(item.id.split('/')[1]):
                yield Rejected('the name of its class is not UTF-8: rename the folder')
                continue
            try:
                if _is_zip(group):
                    yield Payload(_open_zip(group).read(item.place))
                else:
                    yield Payload(_read_file(os.path.join(group, item.place)))
            except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError) as error:
                yield Rejected('the file cannot be read', type(error).__name__)

    def where(self, item: Item) -> str:
        """The file, relative to the folder or zip; that one's name only where there are two."""
        if item.group == self.path:
            return str(item.place)
        return f'{os.path.basename(item.group)}: {item.place}'

    def class_names(self) -> None:
        """Known only when all items are listed."""

    def image_size(self) -> None:
        """Unknown before they are read."""

    def estimated_items(self) -> int:
        """The number of files."""
        return sum(1 for g in self.groups() for _ in self.items(g))


def _is_zip(path: str) -> bool:
    return not os.path.isdir(path)


def _zip_names(path: str) -> Iterator[tuple[str, str]]:
    """(CLASS/NAME, name of the entry): some programs write ./CLASS/NAME or /CLASS/NAME."""
    for entry in _open_zip(path).infolist():
        name = posixpath.normpath(f'/{entry.filename}').lstrip('/')
        if not entry.is_dir() and not _hidden(name):
            yield name, entry.filename


def _folder_names(root: str) -> Iterator[tuple[str, str]]:
    """Twice the relative name, with '/', in a fixed order; links to folders are not followed."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            name = os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')
            if not _hidden(name):
                yield name, name


def _hidden(name: str) -> bool:
    """What desktops leave behind: .DS_Store, ._photo.jpg, __MACOSX/, Thumbs.db."""
    parts = name.split('/')
    return any(p.startswith('.') or p == '__MACOSX' for p in parts) or parts[-1] == 'Thumbs.db'


def _read_file(path: str) -> bytes:
    with open(path, 'rb') as file:
        return file.read()
