"""Zips that zipfile would not write: entries that lie about their name, size or packing."""

import dataclasses
import struct
import zlib
from collections.abc import Sequence

STORED, DEFLATED = 0, 8
ENCRYPTED, UTF8 = 0x1, 0x800


def deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zeros(gigabytes: int) -> bytes:
    """So many gigabytes of zeros, deflated to a megabyte each, and made without unpacking them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return megabyte * 1024 * gigabytes + packer.flush()


@dataclasses.dataclass(frozen=True)
class Entry:
    """One entry. What is None follows from `data`.

    `data`: what it unpacks to. `packed`: what lies in the zip. `local_name`: before the bytes,
    where `name` is what the directory at the end says. `offset`: of its bytes, by the directory.
    """

    name: bytes
    data: bytes = b''
    method: int = DEFLATED
    packed: bytes | None = None
    size: int | None = None
    checksum: int | None = None
    flags: int = UTF8
    mode: int = 0o100644
    local_name: bytes | None = None
    offset: int | None = None


def raw_zip(entries: Sequence[Entry]) -> bytes:
    """The bytes of a zip."""
    body, directory = b'', b''
    for e in entries:
        packed = e.packed
        if packed is None:
            packed = deflate(e.data) if e.method == DEFLATED else e.data
        checksum = zlib.crc32(e.data) if e.checksum is None else e.checksum
        size = len(e.data) if e.size is None else e.size
        about = struct.pack('<HHHHIII', e.flags, e.method, 0, 33, checksum, len(packed), size)
        local_name = e.name if e.local_name is None else e.local_name
        offset = len(body) if e.offset is None else e.offset
        body += b'PK\3\4' + struct.pack('<H', 20) + about
        body += struct.pack('<HH', len(local_name), 0) + local_name + packed
        directory += b'PK\1\2' + struct.pack('<HH', 0x314, 20) + about
        directory += struct.pack('<HHHHHII', len(e.name), 0, 0, 0, 0, e.mode << 16, offset) + e.name
    end = struct.pack('<HHHHIIH', 0, 0, len(entries), len(entries), len(directory), len(body), 0)
    return body + directory + b'PK\5\6' + end
