"""The table of all sources. A new source is a module and a line in `SOURCES`."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Source
from pipelines.job.sources.arrays.npy import make_npy
from pipelines.job.sources.builtin.digits import Digits
from pipelines.job.sources.builtin.stdlib import Stdlib
from pipelines.job.sources.files.idx import make_idx
from pipelines.job.sources.files.images import Images
from pipelines.job.sources.files.manifest import make_manifest
from pipelines.job.sources.files.texts import make_texts
from pipelines.job.sources.tables.documents import make_csv, make_json_lines
from pipelines.job.sources.tfds.dataset import make_tfds


class Entry(NamedTuple):
    """A line of the registry: how to make a source.

    Attributes:
      make: called with what follows the prefix, if anything does, and the flags that the user gave,
        by name.
      place: what follows the prefix and its colon, as --help names it; '' for nothing.
      flags: names of the flags that `make` takes.
      remote: whether the source reads gs:// and the like.
    """

    make: Callable[..., Source[Any]]
    place: str = ''
    flags: tuple[str, ...] = ()
    remote: bool = False


_COLUMNS = ('text_column', 'label_column')
SOURCES = {
    'images': Entry(Images, 'DIR_OR_ZIP'),
    'texts': Entry(make_texts, 'DIR_OR_ZIP', ('encoding',)),
    'idx': Entry(make_idx, 'DIR'),
    'csv': Entry(
        make_csv, 'FILE_OR_DIR', (*_COLUMNS, 'csv_columns', 'delimiter', 'class_names', 'encoding')
    ),
    'jsonl': Entry(make_json_lines, 'FILE_OR_DIR', (*_COLUMNS, 'class_names', 'encoding')),
    'manifest': Entry(
        make_manifest,
        'FILE_OR_DIR',
        ('path_column', 'label_column', 'delimiter', 'class_names'),
        remote=True,
    ),
    'npy': Entry(make_npy, 'DIR', ('class_names',)),
    'tfds': Entry(make_tfds, 'NAME', (*_COLUMNS, 'encoding', 'data_dir', 'manual_dir')),
    'builtin:digits': Entry(Digits),
    'builtin:stdlib': Entry(Stdlib),
}
# Every flag that some source takes.
FLAGS = tuple(dict.fromkeys(flag for entry in SOURCES.values() for flag in entry.flags))


def known() -> str:
    """The values that --source may have, for --help and refusals."""
    *others, last = (f'{k}:{e.place}' if e.place else k for k, e in SOURCES.items())
    return f'{", ".join(others)} and {last}'


def make_source(source: str, flags: Mapping[str, str | None] | None = None) -> Source[Any]:
    """Makes a source from the value of --source.

    Some sources read here already: tfds: downloads and prepares a data set unless it is prepared,
    manifest: reads its tables, and npy: reads headers.

    Args:
      source: PREFIX:PLACE or a built-in source.
      flags: values of `FLAGS` as the user gave them; None: not given.

    Raises:
      LonghaulError: for an unknown prefix, a flag that the source does not take, or a bad value.
    """
    kind, _, place = source.partition(':')
    if kind not in SOURCES:
        kind, place = source, ''
    entry = SOURCES.get(kind)
    if entry is None or bool(place) != bool(entry.place):
        raise LonghaulError(f'--source={source}: {known()} are known; name one of them')
    if '://' in place and not entry.remote:
        raise LonghaulError(
            f'--source={source}: sources are read as local files; copy it, or mount it (gcsfuse); '
            'images anywhere can be named in a table: --source=manifest:FILE'
        )
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    for name, value in given.items():
        if name not in entry.flags:
            raise LonghaulError(
                f'--{name}={value}: is for {_owners(name)} sources, and the source is {source}; '
                'leave it out'
            )
    taken = {name: _PARSERS.get(name, str)(value) for name, value in given.items()}
    return entry.make(*([place] if place else []), **taken)


def _owners(flag: str) -> str:
    *others, last = (f'{kind}:' for kind, entry in SOURCES.items() if flag in entry.flags)
    return f'{", ".join(others)} and {last}' if others else last


def _read_names(path: str) -> tuple[str, ...]:
    try:
        with open(path, encoding='utf-8-sig') as file:
            names = tuple(line.strip() for line in file if line.strip())
    except (OSError, UnicodeDecodeError) as error:
        raise LonghaulError(
            f'--class_names={path}: cannot be read ({error}); name a text file with one name a line'
        ) from error
    if not names:
        raise LonghaulError(f'--class_names={path}: is empty; write one name a line')
    if len(set(names)) != len(names):
        raise LonghaulError(f'--class_names={path}: a name occurs twice; names must differ')
    return names


def _delimiter(text: str) -> str:
    sign = {'tab': '\t', '\\t': '\t'}.get(text, text)
    if len(sign) != 1 or not sign.isascii() or sign.isalnum() or sign in '"\r\n\0':
        raise LonghaulError(
            f"--delimiter={text}: one sign is needed, such as ';', or the word tab; letters, "
            'digits, quotes and line ends part no cells'
        )
    return sign


# Flags whose sources take something else than their text.
_PARSERS: dict[str, Callable[[str], Any]] = {
    'class_names': _read_names,
    'delimiter': _delimiter,
    'csv_columns': lambda text: tuple(text.split(',')),
}
