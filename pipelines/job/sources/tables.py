"""What the tables of documents (csv, jsonl) have in common."""

import gzip
from typing import BinaryIO


def is_gzip(path: str) -> bool:
    """Whether a table is packed, by its name."""
    return path.endswith('.gz')


def open_table(path: str) -> BinaryIO:
    """The table's bytes, unpacked."""
    return gzip.open(path) if is_gzip(path) else open(path, 'rb')


def is_utf8(text: str) -> bool:
    """False where bytes (or escapes) that are no UTF-8 were read into a string."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True
