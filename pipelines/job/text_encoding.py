"""Which encoding a text is in: UTF-8, unless its byte order mark or --encoding says otherwise.

Records hold UTF-8 alone, as exported models take it.
"""

import codecs
import difflib
import functools
from encodings import aliases

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Payload, Rejected

_UTF8 = ('utf-8', 'utf-8-sig')
# The longer marks first: UTF-32's begins with UTF-16's.
_MARKS = (
    (codecs.BOM_UTF8, 'utf-8'),
    (codecs.BOM_UTF32_LE, 'utf-32'),
    (codecs.BOM_UTF32_BE, 'utf-32'),
    (codecs.BOM_UTF16_LE, 'utf-16'),
    (codecs.BOM_UTF16_BE, 'utf-16'),
)
_SAMPLES = 'éあ中한'
_ASCII = bytes(range(128))


def check_encoding(name: str | None, *, table: bool = False) -> str | None:
    """The value of --encoding, or None where it says no more than UTF-8.

    Args:
      name: of one of Python's codecs.
      table: whether rows, cells and quotes are to be found in it by their ASCII bytes.

    Raises:
      LonghaulError: for a name that is none of a text's encoding, or one that no table can have.
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
    """Converts a text.

    A byte order mark decides; without one UTF-8 is tried, and then `encoding`. The other way round
    where UTF-8 would take what it is not: the encoding has zero bytes and so has the text, or it
    writes everything in ASCII (UTF-7, ISO-2022-JP).

    Args:
      data: a text.
      encoding: what it is if it is no UTF-8.

    Returns:
      (the text as UTF-8 without the mark, the name of the encoding that it was in); None if it is
      in none of those that it may be in.
    """
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    data = data.removeprefix(codecs.BOM_UTF8)
    return _first(data, marked or _candidates(data, encoding))


def cell_to_utf8(cell: str, encoding: str | None) -> tuple[bytes, str] | None:
    """As `to_utf8`, for a part of a table that was read with errors='surrogateescape'."""
    data = cell.encode('utf-8', 'surrogateescape')
    return _first(data, _candidates(data, encoding))


def not_readable(what: str, encoding: str | None) -> Rejected:
    """The verdict about `what` ('the text') that is in no encoding that it may be in."""
    if encoding is None:
        return Rejected(f'{what} is not UTF-8')
    return Rejected(f'{what} is neither UTF-8 nor {encoding}')


def text_payload(data: bytes, encoding: str | None = None) -> Payload | Rejected:
    """A text as it lies in a file or a record."""
    found = to_utf8(data, encoding)
    if found is not None:
        return Payload(found[0], encoding=found[1])
    marked = [name for mark, name in _MARKS if data.startswith(mark)]
    if marked and marked[0] != 'utf-8':
        return Rejected(f'the text is not {marked[0].upper()}, as its byte order mark says')
    return not_readable('the text', encoding)


def is_utf8(text: str) -> bool:
    """False where bytes (or escapes) that are no UTF-8 were read into a string."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True


def mark_of(data: bytes) -> str | None:
    """UTF-16 or UTF-32, of a table that begins so: by its mark, or by its zero bytes."""
    for mark, name in _MARKS[1:]:
        if data.startswith(mark):
            return name.upper()
    if data[:4:2] == b'\0\0' or data[1:4:2] == b'\0\0':
        return 'UTF-32' if b'\0\0\0' in data[:4] else 'UTF-16'
    return None


def _first(data: bytes, encodings: list[str]) -> tuple[bytes, str] | None:
    for name in encodings:
        converted = _convert(data, name)
        if converted is not None:
            return converted, name
    return None


def _convert(data: bytes, name: str) -> bytes | None:
    try:
        if name == 'utf-8':
            data.decode('utf-8')
            return data
        return data.decode(name).encode('utf-8')
    except UnicodeError:
        return None


def _candidates(data: bytes, encoding: str | None) -> list[str]:
    if encoding is None:
        return ['utf-8']
    kind = _kind(encoding)
    first = kind == 'escaped' or (kind == 'wide' and b'\0' in data)
    return [encoding, 'utf-8'] if first else ['utf-8', encoding]


@functools.lru_cache(maxsize=4)
def _kind(encoding: str) -> str:
    """How an encoding relates to ASCII.

    'ascii' keeps every ASCII byte, 'escaped' has no others, 'wide' needs several bytes for each
    letter, 'other' is none of these (EBCDIC).
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
