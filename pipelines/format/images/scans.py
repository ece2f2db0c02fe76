"""Counts the scans of a JPEG, in graphs, without decoding them.

The decoder passes over all pixels for each scan, and a scan may take eleven bytes: without a bound,
a small file could take hours.
"""

import tensorflow as tf

from pipelines.format.images.calls import apart

# Scans times pixels. It takes about a second; a photo has up to twenty scans.
_MOST_WORK = 100 << 27
_MOST_SCANS = 10_000
_MOST_SEGMENTS = 50_000
_SCAN, _END, _BEGIN = 0xDA, 0xD9, 0xD8


def too_many(data: tf.Tensor, pixels: tf.Tensor) -> tf.Tensor:
    """Whether a JPEG has more scans than are decoded.

    Args:
      data: scalar string, a JPEG.
      pixels: int64 scalar, the number of its pixels.

    Returns:
      bool scalar.
    """
    most = tf.minimum(_MOST_WORK // tf.maximum(pixels, 1), _MOST_SCANS)
    # The mark of a scan may also stand in other parts of a file, so that this counts too many.
    parts = tf.raw_ops.StringSplitV2(input=[data], sep=b'\xff\xda', maxsplit=_MOST_SCANS + 1)
    found = tf.size(parts.values, out_type=tf.int64) - 1
    return tf.cond(found > most, lambda: _count(data, most) > most, lambda: tf.constant(False))


@apart
def _count(data: tf.Tensor, most: tf.Tensor) -> tf.Tensor:
    """The number of scans up to the end of the picture; counts no further than beyond `most`."""
    content = tf.io.decode_raw(data, tf.uint8)
    size = tf.size(content, out_type=tf.int64)
    kinds = content[1:]
    # Behind 0xff, these are no markers: a stuffed zero, a filler, and marks within a scan.
    inner = tf.logical_or(tf.equal(kinds, 0), tf.equal(kinds, 0xFF))
    inner = tf.logical_or(inner, tf.logical_and(kinds >= 0xD0, kinds <= 0xD7))
    is_marker = tf.logical_and(tf.equal(content[:-1], 0xFF), tf.logical_not(inner))
    places = tf.concat([tf.where(is_marker)[:, 0], [size]], axis=0)

    def goes_on(position: tf.Tensor, count: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        """Whether another segment may follow, and may matter."""
        return tf.logical_and(position + 4 <= size, count <= most)

    def step(position: tf.Tensor, count: tf.Tensor, segments: tf.Tensor) -> tuple:
        """Passes the next segment, or the pixels before it."""
        at = tf.gather(places, tf.searchsorted(places, [position], out_type=tf.int64)[0])
        head = tf.cast(content[at : at + 4], tf.int64)
        head = tf.pad(head, [[0, 4 - tf.size(head)]])
        ends = tf.equal(head[1], _END)
        length = 256 * head[2] + head[3]
        bare = tf.equal(head[1], _BEGIN)
        following = at + 2 + tf.where(bare, tf.zeros_like(length), length)
        count += tf.cast(tf.equal(head[1], _SCAN), tf.int64)
        return tf.where(ends, size, following), count, segments + 1

    zero = tf.constant(0, tf.int64)
    _, count, segments = tf.while_loop(
        goes_on, step, (zero, zero, zero), maximum_iterations=_MOST_SEGMENTS
    )
    # A file of so many segments is no picture of a camera or a program.
    return tf.where(segments < _MOST_SEGMENTS, count, most + 1)
