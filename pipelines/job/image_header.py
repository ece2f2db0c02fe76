"""What an image file says about itself: its size, and whether it is to be shown rotated.

TensorFlow ignores the EXIF orientation, and a rotated picture read as if it were upright is wrong
in silence. A size that no picture has would take all memory before anybody could refuse it.
"""

from collections.abc import Iterator
from typing import NamedTuple

_PNG = b'\x89PNG\r\n\x1a\n'
# Start-of-frame markers; C4, C8 and CC in their midst are others.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


class Header(NamedTuple):
    """`width` and `height` in pixels (0 when not found); `orientation` of EXIF, 1 is upright."""

    width: int
    height: int
    orientation: int


def read_header(data: bytes) -> Header | None:
    """The header of a PNG or JPEG file; None for other files."""
    if data[:8] == _PNG:
        return _png(data)
    if data[:2] == b'\xff\xd8':
        return _jpeg(data)
    return None


def _png(data: bytes) -> Header:
    width, height = (int.from_bytes(data[i : i + 4], 'big') for i in (16, 20))
    position, orientation = 8, 1
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], 'big')
        name = data[position + 4 : position + 8]
        if name == b'eXIf':
            orientation = _tiff_orientation(data[position + 8 : position + 8 + size])
        position += 12 + size
    return Header(width, height, orientation)


def _jpeg(data: bytes) -> Header:
    width = height = 0
    orientation = 1
    for marker, body in _jpeg_segments(data):
        if marker in _FRAMES:
            height, width = (int.from_bytes(body[i : i + 2], 'big') for i in (1, 3))
        elif marker == 0xE1 and body[:6] == b'Exif\0\0':
            orientation = _tiff_orientation(body[6:])
    return Header(width, height, orientation)


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, content) of the segments before the pixels."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:  # Any number of these may stand before a marker.
            position += 1
            continue
        size = int.from_bytes(data[position + 2 : position + 4], 'big')
        if marker == 0xDA or size < 2:
            return
        yield marker, data[position + 4 : position + 2 + size]
        position += 2 + size


def _tiff_orientation(tiff: bytes) -> int:
    """Tag 0x0112 of the first directory; 1 where it is missing or makes no sense."""
    order = {b'II': 'little', b'MM': 'big'}.get(tiff[:2])
    if order is None:
        return 1

    def number(at: int, size: int) -> int:
        return int.from_bytes(tiff[at : at + size], order)

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), 1000)):
        at = directory + 2 + 12 * entry
        if number(at, 2) == 0x0112:
            found = number(at + 8, 2)
            return found if 1 <= found <= 8 else 1
    return 1
