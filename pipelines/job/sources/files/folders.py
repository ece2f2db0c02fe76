"""`ClassFolders`, the base of images: and texts:. Files lie in one folder per class.

These folders lie in a folder or a zip, and perhaps in train/, validation/ and test/ there (or in
train.zip and so on), which are then the splits of the source; see `layout`.
"""

import dataclasses
import errno
import functools
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected, Source
from pipelines.job.sources import limits, splits
from pipelines.job.sources.clutter import is_clutter
from pipelines.job.sources.files import zips
from pipelines.job.sources.files.layout import Layout, find_layout
from pipelines.job.sources.listing import refuse_folder
from pipelines.job.text_encoding import is_utf8

LINKED_FOLDER = 'a link to a folder, which is not followed'


@dataclasses.dataclass(frozen=True)
class ClassFolders(Source[str]):
    """Files that the name of their folder labels.

    Attributes:
      path: folder or zip.
      prefix: the prefix of the source in --source.
      suffixes: a file outside of any class folder counts only with one of these.
      nouns: the word for the files in refusals.
    """

    path: str
    prefix: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]]
    nouns: ClassVar[str]

    def groups(self) -> list[Group]:
        """The zip or the folder of each split."""
        source = f'{self.prefix}:{self.path}'
        if not os.path.exists(self.path):
            raise LonghaulError(
                f'--source={source}: no such folder or zip; name one with a folder per class'
            )
        if not os.path.isfile(self.path) and not os.path.isdir(self.path):
            raise LonghaulError(
                f'--source={source}: no regular file, and a zip is read in many places; name a '
                'folder or a zip'
            )
        return self._layout.groups

    @functools.cached_property
    def _layout(self) -> Layout:
        return find_layout(f'{self.prefix}:{self.path}', self.path, self.suffixes)

    def told(self) -> list[str]:
        """What is taken for which split, and what is not read."""
        found = self._layout
        lines = []
        if len(found.groups) > 1:
            pairs = zip(found.names, (group.split for group in found.groups), strict=True)
            lines.append(splits.told(pairs))
        elif found.names[0]:
            lines.append(f'read below {found.names[0]}')
        lines += splits.not_read(found.unread)
        clutter = [name for name in self._all_names(found) if is_clutter(name)]
        if clutter:
            lines.append(f'passed over, left by systems: {len(clutter):,} files, as {clutter[0]}')
        return lines

    def _all_names(self, found: Layout) -> Iterator[str]:
        """The names of all files below the source, and of those in the zips that it holds."""
        for path in dict.fromkeys([self.path, *(g.path for g in found.groups if _is_zip(g.path))]):
            for name, _, usable in _names(path):
                if usable:
                    yield name

    def items(self, group: Group) -> Iterator[Item[str]]:
        """Lists all files CLASS/NAME. A file in a deeper folder belongs to the first one's class.

        Files of other kinds in a class folder are listed too. They are rejected by name when they
        are read, so that no file is lost in silence. A file outside of any class folder has no
        label, and is listed only with one of `suffixes`.
        """
        found = False
        for whole, place, usable in _names(group.path):
            if is_clutter(whole):
                continue
            # `read` rejects such a name. It must not add a class, and belongs to one group alone.
            if not usable and (not group.inside or group.split == 'train'):
                yield Item(f'{group.split}/{whole}', group.split, None, group.path, place)
            if not usable or not whole.startswith(group.inside):
                continue
            name = whole.removeprefix(group.inside)
            label = _class_of(name)
            if label is None and not name.lower().endswith(self.suffixes):
                continue
            found = found or label is not None
            known = label if label is not None and is_utf8(label) else None
            yield Item(f'{group.split}/{name}', group.split, known, group.path, place)
        if not found:
            raise LonghaulError(
                f'--source={self.prefix}:{self.path}: {group.path} holds no '
                f'CLASS/NAME{" or ".join(self.suffixes[:2])}; put the {self.nouns} of each class '
                'into a folder of its own'
            )

    def read(self, group: str, items: Sequence[Item[str]]) -> Iterator[Payload | Rejected]:
        """Reads files."""
        zipped, folder = _is_zip(group), os.path.join(group, '')
        for item in items:
            label = _class_of(item.id.partition('/')[2])
            if label is not None and not is_utf8(label):
                yield Rejected('the name of its class is not UTF-8: rename the folder')
                continue
            try:
                data = zips.read(group, item.place) if zipped else _read_file(folder + item.place)
            except Rejected as reason:
                yield reason
            else:
                yield self.payload(data)

    def payload(self, data: bytes) -> Payload | Rejected:
        """The payload of a file's bytes."""
        return Payload(data)

    def where(self, item: Item[str]) -> str:
        """The path of the file in the folder or zip, after its name where there are several."""
        if item.group == self.path:
            return str(item.place)
        return f'{os.path.basename(item.group)}: {item.place}'


def _class_of(name: str) -> str | None:
    """The first folder of a name; None for a name without a folder."""
    label, _, rest = name.partition('/')
    return label if rest else None


def count(path: str) -> int:
    """The number of all files in a folder or zip, also of those that are not listed."""
    if _is_zip(path):
        return sum(1 for _ in zips.names(path))
    return sum(len(files) for _, _, files in os.walk(path, onerror=refuse_folder))


def size(path: str, places: Iterable[str]) -> int:
    """The bytes of some files in a folder or zip; a file that is not there has none."""
    if _is_zip(path):
        return sum(zips.size(path, place) for place in places)
    folder = os.path.join(path, '')
    return sum(_size_of_file(folder + place) for place in places)


def _size_of_file(path: str) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0


def _is_zip(path: str) -> bool:
    return not os.path.isdir(path)


def _names(path: str) -> Iterator[tuple[str, str, bool]]:
    """See `zips.names` and `_folder_names`."""
    return zips.names(path) if _is_zip(path) else _folder_names(path)


def _folder_names(root: str) -> Iterator[tuple[str, str, bool]]:
    """(relative name with '/', the same name, whether it can be read) of all files, sorted.

    Links to folders are not followed, since they may lead in circles. They are listed as files that
    cannot be read.
    """
    for folder, folders, files in os.walk(root, onerror=refuse_folder):
        folders.sort()
        links = {name for name in folders if os.path.islink(os.path.join(folder, name))}
        below = os.path.relpath(folder, root).replace(os.sep, '/')
        prefix = '' if below == '.' else f'{below}/'
        for name in sorted([*files, *links]):
            yield prefix + name, prefix + name, name not in links


def _read_file(path: str) -> bytes:
    """Reads a file by few system calls: they are most of the time that a small image takes."""
    try:
        # O_NONBLOCK: opening a pipe would wait for a writer, perhaps without end.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.ENXIO:
            raise Rejected('no regular file') from error
        raise Rejected('the file cannot be read', type(error).__name__) from error
    try:
        about = os.fstat(descriptor)
        if stat.S_ISDIR(about.st_mode):
            raise Rejected(LINKED_FOLDER)
        if not stat.S_ISREG(about.st_mode):
            raise Rejected('no regular file')
        if about.st_size > limits.MOST_BYTES:
            raise Rejected(f'the file is {limits.TOO_LARGE}')
        return _read_all(descriptor, about.st_size)
    except OSError as error:
        raise Rejected('the file cannot be read', type(error).__name__) from error
    finally:
        os.close(descriptor)


def _read_all(descriptor: int, size: int) -> bytes:
    """Reads at most `size` bytes, fewer where the file ends."""
    parts = []
    while size and (part := os.read(descriptor, size)):
        parts.append(part)
        size -= len(part)
    return parts[0] if len(parts) == 1 else b''.join(parts)
