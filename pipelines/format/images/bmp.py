"""Decodes uncompressed BMP files, in graphs.

TensorFlow's decoder does not serve: it shows the indexes of a palette as gray, ignores masks, and
refuses files with bytes behind the pixels.
"""

from typing import NamedTuple

import tensorflow as tf

from pipelines.format.images.calls import apart
from pipelines.format.images.limits import MAX_ALPHA_PIXELS, MAX_PIXELS
from pipelines.format.images.refusals import Problem, first_problem, unless
from pipelines.format.images.white import over_white

_PLAIN, _MASKED = 0, 3
_PALETTE_BITS, _COLOR_BITS = (1, 4, 8), (24, 32)
_MASKS = (0xFF0000, 0xFF00, 0xFF)
# 0xFF000000 as a signed number: all numbers are read as signed ones here.
_ALPHA = -0x1000000
# Sizes of the Windows headers that can hold masks, and of those that hold a mask for alpha.
_MASK_HEADERS, _ALPHA_HEADERS = (40, 52, 56, 108, 124), (56, 108, 124)


class _Header(NamedTuple):
    """What the header says: int64 scalars, and two bool scalars.

    Attributes:
      offset: place of the pixels in the file.
      palette: place of the palette in the file.
      colors: number of colours in the palette.
      width: in pixels.
      height: in pixels, negative if the top row comes first.
      bits: bits in a pixel.
      compression: 0 for none, 3 for masks.
      known: bool; whether this kind of BMP is read.
      has_alpha: bool; whether the fourth byte of a pixel is alpha.
    """

    offset: tf.Tensor
    palette: tf.Tensor
    colors: tf.Tensor
    width: tf.Tensor
    height: tf.Tensor
    bits: tf.Tensor
    compression: tf.Tensor
    known: tf.Tensor
    has_alpha: tf.Tensor


@apart
def decode_bmp(data: tf.Tensor) -> tf.Tensor:
    """Decodes a BMP of 1, 4 or 8 bits with a palette, of 24, or of 32 bits.

    Args:
      data: scalar string, beginning as a BMP does.

    Returns:
      uint8 [H, W, 3].

    Raises:
      tf.errors.InvalidArgumentError: for damage, too many pixels and other kinds of BMP; see
        `refusals.reason_of`.
    """
    header = _read_header(data)
    rows = tf.abs(header.height)
    stride = (header.width * header.bits + 31) // 32 * 4
    length = tf.cast(tf.strings.length(data), tf.int64)
    problem = first_problem(
        (length < 54, Problem.DAMAGED),
        (tf.logical_not(header.known), Problem.OTHER_BMP),
        (tf.logical_or(header.width <= 0, tf.equal(rows, 0)), Problem.DAMAGED),
        (header.width * rows > MAX_PIXELS, Problem.TOO_LARGE),
        (
            tf.logical_and(header.has_alpha, header.width * rows > MAX_ALPHA_PIXELS),
            Problem.LARGE_ALPHA,
        ),
        (header.offset < header.palette, Problem.DAMAGED),
        (header.offset + stride * rows > length, Problem.DAMAGED),
    )
    numbers = [
        tf.where(header.known, a, b)
        for a, b in ((header.width, header.bits), (rows, header.compression))
    ]
    data = unless(problem, data, numbers=tuple(numbers))
    content = tf.io.decode_raw(tf.strings.substr(data, header.offset, stride * rows), tf.uint8)
    content = tf.reshape(content, tf.stack([rows, stride]))
    content = tf.cond(header.height > 0, lambda: content[::-1], lambda: content)
    return tf.cond(
        header.bits <= 8,
        lambda: _from_palette(data, content, header),
        lambda: _from_colors(content, header),
    )


def _read_header(data: tf.Tensor) -> _Header:
    start = tf.strings.substr(data, tf.minimum(10, tf.strings.length(data)), 60)
    words = tf.io.decode_raw(start, tf.int32, fixed_length=60)
    size = words[1]
    # In OS/2's short header, which is refused, the bits stand at another place.
    bits = tf.where(tf.equal(size, 12), words[3], words[4]) // 65536
    compression = tf.where(tf.equal(size, 12), 0, words[5])
    plain, masked = tf.equal(compression, _PLAIN), tf.equal(compression, _MASKED)
    alpha = tf.where(_among(size, _ALPHA_HEADERS), words[14], 0)
    masks = tf.logical_and(
        tf.reduce_all(tf.equal(words[11:14], _MASKS)), _among(alpha, (0, _ALPHA))
    )
    masks = tf.logical_and(masks, _among(size, _MASK_HEADERS))
    known = tf.logical_or(
        tf.logical_and(plain, _among(bits, _PALETTE_BITS + _COLOR_BITS)),
        tf.logical_and(tf.logical_and(masked, tf.equal(bits, 32)), masks),
    )
    wide = tf.cast(words, tf.int64)
    bits = tf.cast(bits, tf.int64)
    most = tf.bitwise.left_shift(tf.constant(1, tf.int64), tf.clip_by_value(bits, 0, 8))
    return _Header(
        offset=wide[0],
        palette=14 + wide[1],
        colors=tf.where(wide[9] > 0, tf.minimum(wide[9], most), most),
        width=wide[2],
        height=wide[3],
        bits=bits,
        compression=tf.cast(compression, tf.int64),
        known=tf.logical_and(known, size >= 40),
        has_alpha=tf.logical_and(masked, tf.equal(alpha, _ALPHA)),
    )


def _among(number: tf.Tensor, values: tuple[int, ...]) -> tf.Tensor:
    return tf.reduce_any(tf.equal(number, values))


def _from_colors(content: tf.Tensor, header: _Header) -> tf.Tensor:
    """uint8 [H, W, 3] from rows of blue, green, red, and a fourth byte with 32 bits."""
    channels = header.bits // 8
    rows = tf.shape(content, tf.int64)[0]
    pixels = content[:, : header.width * channels]
    pixels = tf.reshape(pixels, tf.stack([rows, header.width, channels]))
    colors = pixels[..., 2::-1]
    return tf.ensure_shape(
        tf.cond(
            header.has_alpha, lambda: over_white(colors, alpha=pixels[..., 3:]), lambda: colors
        ),
        [None, None, 3],
    )


def _from_palette(data: tf.Tensor, content: tf.Tensor, header: _Header) -> tf.Tensor:
    """uint8 [H, W, 3] from rows of indexes. The first index stands in the upper bits of a byte."""
    bits = tf.cast(header.bits, tf.uint8)
    shifts = tf.range(8 - header.bits, -1, -header.bits)
    index = tf.bitwise.right_shift(content[..., tf.newaxis], tf.cast(shifts, tf.uint8))
    index = tf.bitwise.bitwise_and(
        index, tf.bitwise.right_shift(tf.constant(255, tf.uint8), 8 - bits)
    )
    index = tf.reshape(index, tf.stack([tf.shape(content)[0], -1]))[:, : header.width]
    room = (header.offset - header.palette) // 4
    size = 4 * tf.minimum(header.colors, room)
    palette = tf.io.decode_raw(tf.strings.substr(data, header.palette, size), tf.uint8)
    # tf.gather fails for an index beyond the palette, which means that the file is damaged.
    return tf.gather(tf.reshape(palette, [-1, 4])[:, 2::-1], tf.cast(index, tf.int32))
