"""The names of splits, for folders, zips, tables and columns: train, validation and test.

Other usual names are taken for these three, in small or capital letters: Training, val, dev_set.
"""

import re
from collections.abc import Iterable

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.sources.clutter import is_clutter

_WORDS = {
    'train': ('train', 'training', 'trn'),
    'validation': ('validation', 'valid', 'val', 'dev', 'devel', 'development'),
    'test': ('test', 'testing', 'tst'),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
# These say nothing about which split it is.
_FILLERS = ('set', 'split', 'data', 'dataset', 'images', 'texts', 'files')
_SET = re.compile(r'(.*?)(set|data)')
_MOST_SHOWN = 5
# Endings of tables and of what they are packed in, also of those that no source reads.
_FOREIGN = frozenset(
    (
        *('csv', 'tsv', 'json', 'jsonl', 'ndjson', 'parquet', 'arrow', 'feather', 'orc', 'avro'),
        *('xls', 'xlsx', 'ods', 'gz', 'bz2', 'xz', 'zst', 'lz4', 'zip', '7z', 'rar', 'tar', 'tgz'),
    )
)


def split_named(name: object) -> str | None:
    """The split that a name means, such as 'validation' for 'Val'; None for any other name."""
    if not isinstance(name, str):
        return None
    words = [word for word in _words(name) if word not in _FILLERS]
    if len(words) != 1:
        return None
    whole = _SET.fullmatch(words[0])
    return _SPLIT_OF.get(words[0]) or (_SPLIT_OF.get(whole[1]) if whole else None)


def resembled(name: str) -> set[str]:
    """The splits whose names are parts of a name: test for seg_test, train for train2017."""
    split = split_named(name)
    return {split} if split else {_SPLIT_OF[w] for w in _words(name) if w in _SPLIT_OF}


def _words(name: str) -> list[str]:
    return re.findall('[a-z]+', name.strip().lower())


def refuse_twice(source: str, found: Iterable[tuple[str, str]]) -> None:
    """Refuses two names of one split.

    Args:
      source: the value of --source.
      found: (name, split) pairs.

    Raises:
      LonghaulError: if a split is there more than once.
    """
    pairs = list(found)
    splits = [split for _, split in pairs]
    if len(set(splits)) < len(splits):
        names = ', '.join(name for name, _ in pairs)
        raise LonghaulError(
            f'--source={source}: holds {names}, one split more than once; keep one of each'
        )


def refuse_resembling(source: str, names: list[str]) -> None:
    """Refuses folders or zips whose names could be those of splits, as seg_train and seg_test.

    Args:
      source: the value of --source.
      names: of all that lies beside each other.

    Raises:
      LonghaulError: if two resemble different splits, or if all resemble one.
    """
    alike = [name for name in names if resembled(name)]
    different = {split for name in alike for split in resembled(name)}
    if len(alike) > 1 and (len(different) > 1 or alike == names):
        raise LonghaulError(
            f'--source={source}: {shown(alike)} could be splits or classes; name splits train, '
            'validation and test, or put all classes into one folder train'
        )


def find_tables(
    source: str, names: Iterable[str], suffixes: tuple[str, ...], others: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    """The tables SPLIT + suffix among the names of a folder, as (name, split), train first.

    Args:
      source: the value of --source.
      names: of the files in the folder.
      suffixes: of tables that the source reads, such as '.csv.gz'; in small letters.
      others: of tables that it does not read.

    Raises:
      LonghaulError: if a split is there twice, if a table beside train has another name, or if one
        that is a split cannot be read, whatever its kind.
    """
    found, unread = [], []
    names = sorted(name for name in names if not is_clutter(name))
    for name in names:
        stem, ending = _parts(name, (*suffixes, *others))
        split = split_named(stem)
        if ending in suffixes and split is not None:
            found.append((name, split))
        elif ending in suffixes or (ending and split is not None):
            unread.append(name)
    found.sort(key=lambda pair: SPLITS.index(pair[1]))
    refuse_twice(source, found)
    missed = [name for name in unread_splits(names, found) if _is_foreign(name, found)]
    unread += [name for name in missed if name not in unread]
    if unread and any(split == 'train' for _, split in found):
        raise LonghaulError(
            f'--source={source}: holds {shown(unread)} beside {found[0][0]}, which says no split '
            f'that is read; name it train, validation or test with {suffixes[0]}, or move it away'
        )
    return found


def unread_splits(names: Iterable[str], found: Iterable[tuple[str, str]]) -> list[str]:
    """Files of any kind with the name of a split that are none of the tables that were found."""
    known = {name for name, _ in found}
    beside = sorted(name for name in names if '.' in name and name not in known)
    return [name for name in beside if split_named(name.partition('.')[0])]


def _is_foreign(name: str, found: Iterable[tuple[str, str]]) -> bool:
    """Whether a file seems to be the only table of its split."""
    stem, *endings = name.lower().split('.')
    return not _FOREIGN.isdisjoint(endings) and split_named(stem) not in dict(found).values()


def _parts(name: str, suffixes: tuple[str, ...]) -> tuple[str, str]:
    """(stem, suffix) of a file's name, with the longest suffix that fits; '' for none."""
    fits = [suffix for suffix in suffixes if name.lower().endswith(suffix)]
    ending = max(fits, key=len, default='')
    return name[: len(name) - len(ending)], ending


def told(found: Iterable[tuple[str, str]]) -> str:
    """Says what is taken for which split, for the last lines of a job."""
    return 'read as splits: ' + ', '.join(f'{split} from {name}' for name, split in found)


def not_read(names: list[str]) -> list[str]:
    """The line about what is not read, for the last lines of a job; none without names."""
    return [f'not read: {shown(names)}'] if names else []


def shown(names: list[str]) -> str:
    """The first of some names, and how many more there are."""
    more = len(names) - _MOST_SHOWN
    return ', '.join(names[:_MOST_SHOWN]) + (f' and {more} more' if more > 0 else '')
