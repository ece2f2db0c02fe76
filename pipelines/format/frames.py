"""Records and rows of the index as they stand in the files of a shard.

Shards are ordinary TFRecord files: length, its masked crc32c, payload, its masked crc32c
(tensorflow/core/lib/io/record_writer.h).
"""

import struct

import google_crc32c
import numpy as np

# A row of the index describes an example: the offset of its record, the bytes of its payload, its
# segments, its steps, the hash of its id.
INDEX_DTYPE = np.dtype(
    [
        ('offset', '<u8'),
        ('bytes', '<u4'),
        ('segments', '<u4'),
        ('length', '<u8'),
        ('id_hash', '<u8'),
    ]
)


def masked_crc(data: bytes) -> int:
    """The masked crc32c of TFRecord files."""
    crc = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """A record as it stands in a TFRecord file."""
    length = struct.pack('<Q', len(payload))
    head = length + struct.pack('<I', masked_crc(length))
    return head + payload + struct.pack('<I', masked_crc(payload))
