"""What systems and desktops leave among a user's files: it is passed over, and counted."""

import functools

_NAMES = frozenset(
    (
        '$recycle.bin',
        '__macosx',
        '@eadir',
        '@recycle',
        '@tmp',
        '#recycle',
        '#snapshot',
        'desktop.ini',
        'ehthumbs.db',
        'icon\r',
        'lost+found',
        'system volume information',
        'thumbs.db',
    )
)


def is_clutter(name: str) -> bool:
    """Whether a path with '/' is such a file, or lies in such a folder; also names with a dot."""
    folder, _, last = name.rpartition('/')
    return _is_own(last) or (folder != '' and _holds_clutter(folder))


def _is_own(part: str) -> bool:
    return part.lower() in _NAMES or (part.startswith('.') and part not in ('.', '..'))


# Thousands of names, one after another, have one folder.
@functools.lru_cache(maxsize=64)
def _holds_clutter(folder: str) -> bool:
    return any(_is_own(part) for part in folder.split('/'))
