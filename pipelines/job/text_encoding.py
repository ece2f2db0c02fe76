"""Converts texts to UTF-8 from the encoding that a byte order mark or --encoding says.

Records hold UTF-8, and exported models take UTF-8.
"""

import codecs
import difflib
import functools
from encodings import aliases

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected

_UTF8 = ('utf-8', 'utf-8-sig')
# Longer marks come first: the mark of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32'),
    (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)
_FIRST_OF_MARKS = frozenset(mark[:1] for mark, _ in _MARKS)
_SAMPLES = 'éあ中한'
_ASCII = bytes(range(128))


def check_encoding(name: str | None, *, table: bool = False) -> str | None:
    """Checks the value of --encoding.

    Args:
      name: name of a codec of Python; None: the flag was not given.
      table: whether the texts stand in a table. Its rows, cells and quotes are found by ASCII
        bytes.

    Returns:
      The name, or None for UTF-8, which is tried in any case.

    Raises:
      LonghaulError: for an unknown name, and for an encoding that a table cannot have.
    """
    if name is None:
        return None
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError) as error:
        raise LonghaulError(
            f'--encoding={name}: Python knows no such encoding; {_nearest(name)}'
        ) from error
    if codec.name in _UTF8:
        return None
    if not codec._is_text_encoding or _encoded('a', name) is None:
        raise LonghaulError(
            f'--encoding={name}: is no encoding of texts; name one such as cp1252 or shift_jis'
        )
    if table and _kind(name) != 'ascii':
        raise LonghaulError(
            f'--encoding={name}: rows and cells are found by the ASCII bytes of their commas, '
            'quotes and line ends, which this encoding does not keep; convert the table first: '
            f'iconv -f {name} -t UTF-8 TABLE > NEW_TABLE'
        )
    return name


def to_utf8(data: bytes, encoding: str | None = None) -> tuple[bytes, str] | None:
    """Converts a text to UTF-8.

    A byte order mark decides about the encoding. Without a mark, UTF-8 is tried first and
    `encoding` second. `encoding` is tried first where any text of it could pass for UTF-8: if both
    the encoding and the text have zero bytes, or if the encoding uses ASCII bytes alone (UTF-7,
    ISO-2022-JP).

    Args:
      data: a text.
      encoding: the encoding of a text that is not UTF-8; None: there is no other one.

    Returns:
      (the text as UTF-8 without the mark, the name of its encoding); None if no encoding fits.
    """
    if data[:1] not in _FIRST_OF_MARKS:
        return _first(data, _candidates(data, encoding))
    marked = encodings_marked(data)
    data = data.removeprefix(codecs.BOM_UTF8)
    return _first(data, marked or _candidates(data, encoding))


def encodings_marked(data: bytes) -> list[str]:
    """Encodings that a byte order mark may say: UTF-32, or UTF-16 with a zero letter behind."""
    return [name for mark, name in _MARKS if data.startswith(mark)]


def cell_to_utf8(cell: str, encoding: str | None) -> tuple[bytes, str] | None:
    """Does what `to_utf8` does for a cell that was read with errors='surrogateescape'."""
    data = cell.encode('utf-8', 'surrogateescape')
    return _first(data, _candidates(data, encoding))


def not_readable(what: str, encoding: str | None) -> Rejected:
    """The verdict about a text whose encoding does not fit; `what` names it, such as 'the text'."""
    if encoding is None:
        return Rejected(f'{what} is not UTF-8')
    return Rejected(f'{what} is neither UTF-8 nor {encoding}')


def text_payload(data: bytes, encoding: str | None = None) -> Payload | Rejected:
    """The payload of a text, or the verdict that its encoding does not fit."""
    found = to_utf8(data, encoding)
    if found is not None:
        return Payload(found[0], encoding=found[1])
    marked = encodings_marked(data)
    if marked and marked[0] != 'utf-8':
        return Rejected(f'the text is not {marked[0].upper()}, as its byte order mark says')
    return not_readable('the text', encoding)


def is_utf8(text: str) -> bool:
    """Whether a string has no surrogates. Bytes that are not UTF-8 and JSON escapes give some."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True


def mark_of(data: bytes) -> str | None:
    """'UTF-16' or 'UTF-32' if a table begins so, by its mark or by its zero bytes; else None."""
    marked = encodings_marked(data)
    if marked:
        return None if marked[0] == 'utf-8' else marked[0].upper()
    if data[:4:2] == b'\0\0' or data[1:4:2] == b'\0\0':
        return 'UTF-32' if b'\0\0\0' in data[:4] else 'UTF-16'
    return None


def _first(data: bytes, encodings: list[str]) -> tuple[bytes, str] | None:
    """The result of the first encoding that fits."""
    for name in encodings:
        # Not contextlib.suppress, which takes as long as a short text.
        try:
            text = data.decode(name)
        except UnicodeError:
            continue
        return (data if name == 'utf-8' else text.encode('utf-8')), name
    return None


def _candidates(data: bytes, encoding: str | None) -> list[str]:
    if encoding is None:
        return ['utf-8']
    kind = _kind(encoding)
    first = kind == 'escaped' or (kind == 'wide' and b'\0' in data)
    return [encoding, 'utf-8'] if first else ['utf-8', encoding]


@functools.lru_cache(maxsize=4)
def _kind(encoding: str) -> str:
    """The relation of an encoding to ASCII.

    'ascii': every ASCII byte means what it means in ASCII. 'escaped': it uses ASCII bytes alone.
    'wide': every letter takes several bytes. 'other': none of these, such as EBCDIC.
    """
    if len(_encoded('a', encoding) or b'') > 1:
        return 'wide'
    if any((_encoded(letter, encoding) or b'\xff').isascii() for letter in _SAMPLES):
        return 'escaped'
    try:
        return 'ascii' if _ASCII.decode(encoding) == _ASCII.decode('ascii') else 'other'
    except UnicodeError:
        return 'other'


def _encoded(letter: str, encoding: str) -> bytes | None:
    try:
        return letter.encode(encoding)
    except UnicodeError:
        return None


def _nearest(name: str) -> str:
    known = {k.replace('_', '-') for k in (*aliases.aliases, *aliases.aliases.values())}
    near = difflib.get_close_matches(name.lower().replace('_', '-'), sorted(known), n=1)
    if near:
        return f'did you mean {near[0]}?'
    return 'name one of "Standard Encodings" in the documentation of its codecs, such as cp1252'
