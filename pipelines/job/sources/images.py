"""images:DIR_OR_ZIP - one folder per class, PNG or JPEG, in a folder or a zip.

A folder may hold train/ and test/ (or train.zip and test.zip): these are then the source's splits.
"""

import dataclasses
import functools
import os
import zipfile
from collections.abc import Iterator, Sequence

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected

_SUFFIXES = ('.png', '.jpg', '.jpeg')


@functools.lru_cache(maxsize=4)
def _open_zip(path: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise LonghaulError(f'--source: {path} cannot be opened as a zip ({error})') from error


@dataclasses.dataclass(frozen=True)
class Images:
    """Image files, labelled by the name of their folder."""

    path: str
    kind: str = 'image'
    channels: int = 3

    def splits(self) -> tuple[str, ...]:
        """('train', 'test') if the source is divided so, else ('train',)."""
        return tuple(dict.fromkeys(g.split for g in self.groups()))

    def groups(self) -> list[Group]:
        """The zip or folder of each split."""
        if not os.path.exists(self.path):
            raise LonghaulError(f'--source=images:{self.path}: no such folder or zip')
        if not os.path.isdir(self.path):
            return [Group(self.path, 'train')]
        for suffix in ('', '.zip'):
            paths = {s: os.path.join(self.path, s + suffix) for s in ('train', 'test')}
            if os.path.exists(paths['train']):
                return [Group(p, s) for s, p in paths.items() if os.path.exists(p)]
        return [Group(self.path, 'train')]

    def items(self, group: Group) -> Iterator[Item]:
        """All files CLASS/NAME of a known suffix; deeper folders belong to their class."""
        found = False
        names = _zip_names if _is_zip(group.path) else _folder_names
        for name in names(group.path):
            label, _, rest = name.partition('/')
            if rest and name.lower().endswith(_SUFFIXES):
                found = True
                yield Item(f'{group.split}/{name}', group.split, label, group.path, name)
        if not found:
            raise LonghaulError(
                f'--source=images:{self.path}: {group.path} holds no CLASS/NAME.png, .jpg or .jpeg; '
                'put the images of each class into a folder of its own'
            )

    def read(self, group: str, items: Sequence[Item]) -> Iterator[Payload | Rejected]:
        """The files' bytes."""
        for item in items:
            try:
                if _is_zip(group):
                    yield Payload(_open_zip(group).read(item.place))
                else:
                    yield Payload(_read_file(os.path.join(group, item.place)))
            except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
                yield Rejected(f'cannot be read ({error.__class__.__name__})')

    def class_names(self) -> None:
        """Known only when all items are listed."""

    def estimated_items(self) -> int:
        """The number of files."""
        return sum(1 for g in self.groups() for _ in self.items(g))


def _is_zip(path: str) -> bool:
    return not os.path.isdir(path)


def _zip_names(path: str) -> Iterator[str]:
    """File names in a zip; one that climbs out of it is no name of ours."""
    for entry in _open_zip(path).infolist():
        parts = entry.filename.split('/')
        if not entry.is_dir() and '..' not in parts and not entry.filename.startswith('/'):
            yield entry.filename


def _folder_names(root: str) -> Iterator[str]:
    """Relative names with '/', in a fixed order; links to folders are not followed."""
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted(files):
            yield os.path.relpath(os.path.join(folder, name), root).replace(os.sep, '/')


def _read_file(path: str) -> bytes:
    with open(path, 'rb') as file:
        return file.read()
