"""Reads the orientation of an image file from its EXIF data, in graphs, without decoding pixels.

A walk over the chunks of a PNG or the segments of a JPEG takes time. It is made only if a search
finds the name of a wanted chunk or segment anywhere in the file.
"""

from typing import NamedTuple

import tensorflow as tf

from pipelines.format.images.calls import apart

# A walk ends after so many parts: a file could consist of headers alone.
_MAX_CHUNKS = 100_000
_MAX_SEGMENTS = 10_000
_MAX_ENTRIES = 1000
# Stray bytes that one step passes.
_STRAYS = 4096
_ORIENTATION, _SHORT = 0x0112, 3


class Findings(NamedTuple):
    """What a file says beside its pixels. All fields are scalars.

    Attributes:
      orientation: int32, 1..8 as EXIF counts; 1 is upright.
      marked: bool; whether a PNG has a tRNS chunk (a colour is transparent), or a JPEG an Adobe
        segment.
      endless: bool; whether the walk ended before the end of the headers.
    """

    orientation: tf.Tensor
    marked: tf.Tensor
    endless: tf.Tensor


def nothing() -> Findings:
    """The findings about a file without such chunks or segments."""
    return Findings(tf.constant(1), tf.constant(False), tf.constant(False))


def contains(data: tf.Tensor, word: str) -> tf.Tensor:
    """Whether a string contains a word.

    Args:
      data: string [...].
      word: a regular expression of RE2, such as `Exif\\x00`.

    Returns:
      bool [...].
    """
    # regex_replace looks for the first letter at the speed of memory. regex_full_match does not.
    rest = tf.strings.regex_replace(data, word, '', replace_global=False)
    return tf.not_equal(tf.strings.length(rest), tf.strings.length(data))


def of_png(data: tf.Tensor) -> Findings:
    """Reads a PNG's eXIf chunk, before or after the pixels, and looks for a tRNS chunk."""
    has_exif = contains(data, 'eXIf')
    return tf.cond(
        tf.logical_or(has_exif, contains(data, 'tRNS')),
        lambda: _walk_png(data, has_exif),
        nothing,
    )


@apart
def _walk_png(data: tf.Tensor, has_exif: tf.Tensor) -> Findings:
    length = tf.strings.length(data)

    def goes_on(position: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        """Whether another chunk may follow."""
        return position + 12 <= length

    def step(
        position: tf.Tensor, at: tf.Tensor, size: tf.Tensor, marked: tf.Tensor, begun: tf.Tensor
    ) -> tuple:
        """Reads a chunk: its length, its name, its content, a checksum."""
        head = _numbers(data, position, tf.int32, 8)
        fits = tf.logical_and(head[0] >= 0, head[0] <= length - position - 12)
        here = tf.logical_and(_is(head[1], b'eXIf'), tf.logical_and(fits, tf.equal(at, 0)))
        at, size = tf.where(here, position + 8, at), tf.where(here, head[0], size)
        begun = tf.logical_or(begun, _is(head[1], b'IDAT'))
        done = tf.logical_and(begun, tf.logical_or(at > 0, tf.logical_not(has_exif)))
        following = tf.where(fits, position + 12 + tf.maximum(head[0], 0), length)
        # A tRNS chunk behind the first pixels is ignored, as libpng ignores it.
        here = tf.logical_and(_is(head[1], b'tRNS'), tf.logical_not(begun))
        return tf.where(done, length, following), at, size, tf.logical_or(marked, here), begun

    false, zero = tf.constant(False), tf.constant(0)
    start = (tf.constant(8), zero, zero, false, false)
    end, at, size, marked, _ = tf.while_loop(goes_on, step, start, maximum_iterations=_MAX_CHUNKS)
    orientation = _orientation(tf.strings.substr(data, tf.minimum(at, length), size))
    return Findings(orientation, marked, end + 12 <= length)


def of_jpeg(data: tf.Tensor, *, always: tf.Tensor) -> Findings:
    """Reads a JPEG's first Exif segment before the pixels, and looks for an Adobe segment.

    Args:
      data: scalar string.
      always: bool scalar; whether the caller needs to know about an Adobe segment.

    Returns:
      The findings; `endless` is also true for a segment without a length. Stray bytes between
      segments are passed over, as libjpeg does.
    """
    return tf.cond(
        tf.logical_or(contains(data, 'Exif\\x00\\x00'), always), lambda: _walk_jpeg(data), nothing
    )


@apart
def _walk_jpeg(data: tf.Tensor) -> Findings:
    length = tf.strings.length(data)

    def goes_on(position: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        """Whether another segment may follow."""
        return position + 4 <= length

    def step(
        position: tf.Tensor, at: tf.Tensor, size: tf.Tensor, marked: tf.Tensor, lost: tf.Tensor
    ) -> tuple:
        """Reads a segment, or passes stray bytes."""
        marker = tf.cast(_numbers(data, position, tf.uint16, 2), tf.int32)[0]
        stray = marker <= 0xFF00
        return tf.cond(
            stray,
            lambda: (_behind_strays(data, position, marker), at, size, marked, lost),
            lambda: read(position, at, size, marked, lost),
        )

    def read(
        position: tf.Tensor, at: tf.Tensor, size: tf.Tensor, marked: tf.Tensor, lost: tf.Tensor
    ) -> tuple:
        """Reads a segment: its marker, its length (which includes itself), its content."""
        words = tf.cast(_numbers(data, position, tf.uint16, 10), tf.int32)
        marker, words = words[0], words[1:]
        # Any number of 0xff bytes may stand before a marker; some markers have no content.
        fill = tf.equal(marker, 0xFFFF)
        bare = tf.logical_or(
            tf.equal(marker, 0xFF01), tf.logical_and(marker >= 0xFFD0, marker <= 0xFFD8)
        )
        found = tf.logical_and(tf.equal(marker, 0xFFE1), _begins(words[1:], b'Exif\0\0'))
        found = tf.logical_and(found, tf.equal(at, 0))
        at, size = tf.where(found, position + 10, at), tf.where(found, words[0] - 8, size)
        marked = tf.logical_or(
            marked, tf.logical_and(tf.equal(marker, 0xFFEE), _begins(words[1:], b'Adob'))
        )
        pixels = tf.logical_or(tf.equal(marker, 0xFFDA), tf.equal(marker, 0xFFD9))
        whole = tf.logical_or(tf.logical_or(fill, bare), words[0] >= 2)
        following = position + tf.where(fill, 1, tf.where(bare, 2, 2 + words[0]))
        ends = tf.logical_or(pixels, tf.logical_not(whole))
        lost = tf.logical_or(lost, tf.logical_not(tf.logical_or(pixels, whole)))
        return tf.where(ends, length, following), at, size, marked, lost

    false, zero = tf.constant(False), tf.constant(0)
    start = (tf.constant(2), zero, zero, false, false)
    end, at, size, marked, lost = tf.while_loop(
        goes_on, step, start, maximum_iterations=_MAX_SEGMENTS
    )
    body = tf.strings.substr(data, tf.minimum(at, length), tf.maximum(size, 0))
    return Findings(_orientation(body), marked, tf.logical_or(lost, end + 4 <= length))


def _behind_strays(data: tf.Tensor, position: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
    """The place of the next 0xff behind the two bytes `word` at a position, which are no marker."""
    # A stuffed 0xff00 is passed whole.
    start = position + tf.where(tf.equal(word, 0xFF00), 2, 0)
    piece = tf.io.decode_raw(tf.strings.substr(data, start, _STRAYS), tf.uint8)
    places = tf.where(tf.equal(piece, 0xFF))[:, 0]
    first = tf.reduce_min(tf.concat([places, [tf.size(piece, out_type=tf.int64)]], axis=0))
    return start + tf.cast(first, tf.int32)


def _numbers(data: tf.Tensor, position: tf.Tensor, dtype: tf.DType, size: int) -> tf.Tensor:
    """Big-endian numbers in `size` bytes of the data from `position`; zeros behind the end."""
    piece = tf.strings.substr(data, position, size)
    return tf.io.decode_raw(piece, dtype, little_endian=False, fixed_length=size)


def _is(number: tf.Tensor, name: bytes) -> tf.Tensor:
    return tf.equal(number, int.from_bytes(name, 'big'))


def _begins(words: tf.Tensor, name: bytes) -> tf.Tensor:
    expected = [int.from_bytes(name[i : i + 2], 'big') for i in range(0, len(name), 2)]
    return tf.reduce_all(tf.equal(words[: len(expected)], expected))


def _orientation(tiff: tf.Tensor) -> tf.Tensor:
    """The orientation in EXIF data: tag 0x0112 of the first directory.

    The tag counts only if it is one SHORT of 1..8.

    Args:
      tiff: scalar string, perhaps empty or cut off.

    Returns:
      int32 scalar, 1..8; 1 without such a tag.
    """
    length = tf.cast(tf.strings.length(tiff), tf.int64)
    head = tf.io.decode_raw(tiff, tf.uint8, fixed_length=8)
    little = tf.reduce_all(tf.equal(head[:4], list(b'II*\0')))
    known = tf.logical_or(little, tf.reduce_all(tf.equal(head[:4], list(b'MM\0*'))))

    def number(digits: tf.Tensor) -> tf.Tensor:
        """uint8 [..., n] in the file's byte order -> int64 [...]."""
        digits = tf.cast(tf.where(little, tf.reverse(digits, [-1]), digits), tf.int64)
        powers = [256**i for i in reversed(range(digits.shape[-1]))]
        return tf.reduce_sum(digits * tf.constant(powers, tf.int64), -1)

    directory = tf.minimum(number(head[4:]), length)
    count = tf.strings.substr(tiff, directory, tf.constant(2, tf.int64))
    count = number(tf.io.decode_raw(count, tf.uint8, fixed_length=2))
    entries = tf.strings.substr(
        tiff, tf.minimum(directory + 2, length), 12 * tf.minimum(count, _MAX_ENTRIES)
    )
    entries = tf.io.decode_raw(entries, tf.uint8)
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    value = number(entries[:, 8:10])
    right = tf.reduce_all(
        [
            tf.equal(number(entries[:, 0:2]), _ORIENTATION),
            tf.equal(number(entries[:, 2:4]), _SHORT),
            tf.equal(number(entries[:, 4:8]), 1),
            tf.logical_and(value >= 1, value <= 8),
            tf.repeat(known, tf.shape(value)[0]),
        ],
        axis=0,
    )
    # reduce_max of nothing is less than 1. It becomes 1, which is upright.
    best = tf.reduce_max(tf.where(right, value, 1))
    return tf.cast(tf.maximum(best, 1), tf.int32)
