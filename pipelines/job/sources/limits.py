"""The greatest size of an item. A larger file is damaged, or made to fill the memory."""

from io import BufferedIOBase

MOST_BYTES = 1 << 30
TOO_LARGE = 'larger than 1 GiB'
_PIECE = 1 << 20


def read_most(file: BufferedIOBase, most: int) -> bytearray:
    """Reads at most `most` bytes. Memory is taken only for bytes that are there."""
    found = bytearray()
    while len(found) < most and (piece := file.read(min(most - len(found), _PIECE))):
        found += piece
    return found


def read_line(file: BufferedIOBase) -> tuple[bytes, int]:
    """(the next line, cut off just beyond the limit; the bytes of the whole line in the file)."""
    line = file.readline(MOST_BYTES + 1)
    size = len(line)
    if size > MOST_BYTES:
        piece = line
        while piece and not piece.endswith(b'\n'):
            piece = file.readline(_PIECE)
            size += len(piece)
    return line, size
