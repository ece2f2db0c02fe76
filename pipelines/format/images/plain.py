"""Finds the image files that one call of TensorFlow's decoder reads as `decode_pixels` does.

Most files are such. `decode_pixels` takes longer to examine a small PNG than to decode it, and its
graph takes a second to make.
"""

import enum
import struct

from pipelines.format.images.limits import MAX_PIXELS

_PNG, _IHDR = b'\x89PNG\r\n\x1a\n', b'IHDR'
_WITH_ALPHA = (4, 6)
_JPEG, _EXIF = b'\xff\xd8\xff', b'Exif\0\0'
_SCAN = b'\xff\xda'
# Any picture may have so many scans: see `scans.too_many`.
_FEW_SCANS = 100
# Markers of the headers that have the size of the picture; three others lie between them.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_MOST_SEGMENTS = 1000


class Kind(enum.Enum):
    """What is known of a file before it is decoded."""

    PNG = 'a PNG of an allowed size, without alpha, a tRNS or an eXIf chunk'
    JPEG = 'a JPEG of an allowed size and few scans, gray or in three colours, without EXIF data'
    OTHER = 'any other file, which may be one of these nevertheless'


def kind_of(data: bytes) -> Kind:
    """The kind of an image file."""
    if data.startswith(_PNG):
        return Kind.PNG if _is_plain_png(data) else Kind.OTHER
    return Kind.JPEG if data.startswith(_JPEG) and _is_plain_jpeg(data) else Kind.OTHER


def _is_plain_png(data: bytes) -> bool:
    if len(data) < 28 or data[12:16] != _IHDR or data[25] in _WITH_ALPHA:
        return False
    width, height = struct.unpack_from('>ii', data, 16)
    allowed = min(width, height) > 0 and width * height <= MAX_PIXELS
    return allowed and b'eXIf' not in data and b'tRNS' not in data


def _is_plain_jpeg(data: bytes) -> bool:
    frame = _frame_of(data)
    if frame is None or len(frame) < 6:
        return False
    height, width, colors = struct.unpack_from('>HHB', frame, 1)
    allowed = 0 < height * width <= MAX_PIXELS and colors in (1, 3)
    return allowed and _EXIF not in data and data.count(_SCAN) <= _FEW_SCANS


def _frame_of(data: bytes) -> bytes | None:
    """The header that has the size; None if something unusual stands before it."""
    position = 2
    for _ in range(_MOST_SEGMENTS):
        head = data[position : position + 4]
        if len(head) < 4 or head[0] != 0xFF:
            return None
        length = int.from_bytes(head[2:], 'big')
        if head[1] in _FRAMES:
            return data[position + 4 : position + 2 + length]
        if length < 2 or not 0xC0 <= head[1] <= 0xFE or 0xD0 <= head[1] <= 0xDA:
            return None
        position += 2 + length
    return None
