"""What no single item may exceed: beyond it a file is a bomb, or damaged, and no document."""

from io import BufferedIOBase

MOST_BYTES = 1 << 30
TOO_LARGE = 'larger than 1 GiB'
_PIECE = 1 << 20


def read_most(file: BufferedIOBase, most: int) -> bytearray:
    """At most so many bytes; however many are asked for, memory is taken only for what is there."""
    found = bytearray()
    while len(found) < most and (piece := file.read(min(most - len(found), _PIECE))):
        found += piece
    return found


def read_line(file: BufferedIOBase) -> tuple[bytes, int]:
    """The next line, cut off just beyond the limit, and how many bytes it has in the file."""
    line = file.readline(MOST_BYTES + 1)
    size = len(line)
    if size > MOST_BYTES:
        piece = line
        while piece and not piece.endswith(b'\n'):
            piece = file.readline(_PIECE)
            size += len(piece)
    return line, size
