"""What systems and desktops leave among a user's files: it is passed over, and counted."""

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
    return any(
        part.lower() in _NAMES or (part.startswith('.') and part not in ('.', '..'))
        for part in name.split('/')
    )
