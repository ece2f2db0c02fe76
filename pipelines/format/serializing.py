"""Examples -> bytes: what `tf.train.Example` would serialize, without making its messages.

To fill a message takes five times as long as to write its bytes. The bytes are those that
`SerializeToString(deterministic=True)` gives: fields in order, features by name.
"""

import functools
from collections.abc import Sequence

import numpy as np

from pipelines.format.anchors import AnchorSets
from pipelines.format.segments import split_segments

# Tags of protocol buffers: a number of the field, and 2 for what has a length. Field 1 is the
# features of an example, a feature of the features, the key of an entry, bytes of a feature and the
# values of a list. Field 2 is the value of an entry, field 3 the integers of a feature.
_FIRST, _SECOND, _THIRD = b'\x0a', b'\x12', b'\x1a'
_MASK_64 = (1 << 64) - 1


class _Varints(dict[int, bytes]):
    """Integers as protocol buffers write them: seven bits a byte. Small ones are held."""

    def __missing__(self, number: int) -> bytes:
        """Writes an integer that is not held; negative ones take ten bytes."""
        number &= _MASK_64
        written = bytearray()
        while number > 0x7F:
            written.append(number & 0x7F | 0x80)
            number >>= 7
        written.append(number)
        return bytes(written)


_VARINTS = _Varints()
_VARINTS.update({number: _VARINTS[number] for number in (-1, *range(1 << 14))})


def serialize_examples(
    *,
    ids: Sequence[str],
    labels: Sequence[int],
    values: Sequence[np.ndarray],
    anchors: AnchorSets,
    segment_steps: int,
) -> list[bytes]:
    """Serializes N examples. The same example gives the same bytes.

    Args:
      ids: relative to the source's root, never absolute.
      labels: the number of the class; -1 for none.
      values: [T, C] or [T] each, of the spec's dtype.
      anchors: int [N, E, K] each.
      segment_steps: steps in a segment.

    Returns:
      The bytes of N messages `tf.train.Example`.
    """
    r_anchors, r_starts, p_anchors = (a.reshape(len(ids), -1).tolist() for a in anchors)
    columns = zip(ids, labels, values, r_anchors, r_starts, p_anchors, strict=True)
    return [
        _example(own_id, label, steps, drawn, segment_steps)
        for own_id, label, steps, *drawn in columns
    ]


def _example(
    example_id: str,
    label: int,
    values: np.ndarray,
    anchors: Sequence[list[int]],
    segment_steps: int,
) -> bytes:
    r_anchors, r_starts, p_anchors = anchors
    own_id = example_id.encode('utf-8', 'surrogateescape')
    segments = split_segments(values, segment_steps)
    # All segments but the first have one length, which stands before each of them.
    before = _FIRST + _VARINTS[len(segments[-1])]
    stored = before.join([_FIRST + _VARINTS[len(segments[0])] + segments[0], *segments[1:]])
    size = _VARINTS[len(own_id)]
    features = b''.join(
        (
            _head(b'id', _FIRST, len(own_id) + len(size) + 1),
            _FIRST,
            size,
            own_id,
            _integer(b'label', label),
            _integer(b'length', len(values)),
            *_integers(b'p_anchors', p_anchors),
            *_integers(b'r_anchors', r_anchors),
            *_integers(b'r_starts', r_starts),
            _head(b'segments', _FIRST, len(stored)),
            stored,
        )
    )
    return _FIRST + _VARINTS[len(features)] + features


@functools.lru_cache(maxsize=1 << 13)
def _integer(name: bytes, number: int) -> bytes:
    return b''.join(_integers(name, [number]))


def _integers(name: bytes, numbers: list[int]) -> tuple[bytes, bytes]:
    packed = b''.join(map(_VARINTS.__getitem__, numbers))
    return _head_of_integers(name, len(packed)), packed


@functools.lru_cache(maxsize=1 << 10)
def _head_of_integers(name: bytes, size: int) -> bytes:
    packed = _FIRST + _VARINTS[size]
    return _head(name, _THIRD, len(packed) + size) + packed


@functools.lru_cache(maxsize=1 << 13)
def _head(name: bytes, kind: bytes, size: int) -> bytes:
    """What stands before the `size` bytes of a feature's list: name and kind of the feature."""
    value = kind + _VARINTS[size]
    key = _FIRST + _VARINTS[len(name)] + name + _SECOND + _VARINTS[len(value) + size]
    return _FIRST + _VARINTS[len(key) + len(value) + size] + key + value
