"""Decodes the first frame of a GIF on a white canvas, in graphs.

TensorFlow's decoder decompresses all frames, fills what a frame does not cover with black, and
gives no value to transparent pixels. So the first frame is cut out and made a GIF of its own. Its
palette shows index k as the colour (k, k, k). TensorFlow decodes this GIF, and the colours are
looked up here.
"""

from typing import NamedTuple

import tensorflow as tf

from pipelines.format.images.calls import apart
from pipelines.format.images.limits import MAX_PIXELS
from pipelines.format.images.refusals import Problem, first_problem, unless

_MAX_STEPS = 100_000
# Parts of equal size that one step of the walk passes: almost all parts have 255 bytes.
_RUN = 4096
# States of the walk. It reads a block, the parts of an extension or the parts of the frame; or it
# has found the whole frame or lost its way.
_BLOCK, _EXTENSION, _FRAME, _WHOLE, _LOST = range(5)
# Zeros behind the end of the file: a header that is cut off is read without a check.
_MARGIN = 16
_INDEXES = bytes(i for index in range(256) for i in (index, index, index))


class _Frame(NamedTuple):
    """Places of the first frame in the file: int32 scalars.

    Attributes:
      state: `_WHOLE`, or another state for a frame that is not complete.
      descriptor: where the descriptor of the frame begins.
      control: where the graphic control extension begins; 0 for none.
      end: where the compressed indexes end.
    """

    state: tf.Tensor
    descriptor: tf.Tensor
    control: tf.Tensor
    end: tf.Tensor


@apart
def decode_gif(data: tf.Tensor) -> tf.Tensor:
    """Decodes the first frame. The bytes behind it are not read.

    Args:
      data: scalar string, beginning as a GIF does.

    Returns:
      uint8 [H, W, 3], the canvas.

    Raises:
      tf.errors.InvalidArgumentError: for damage and too many pixels; see `refusals.reason_of`.
    """
    content = tf.io.decode_raw(data, tf.uint8)
    content = tf.pad(content, [[0, _MARGIN]])
    frame = _find_frame(content, length=tf.strings.length(data))
    left, top, width, height = (_word(content, frame.descriptor + i) for i in (1, 3, 5, 7))
    # Some frames are larger than the canvas of the header.
    canvas_width = tf.maximum(_word(content, tf.constant(6)), left + width)
    canvas_height = tf.maximum(_word(content, tf.constant(8)), top + height)
    pixels = tf.cast(canvas_width, tf.int64) * tf.cast(canvas_height, tf.int64)
    problem = first_problem(
        (tf.not_equal(frame.state, _WHOLE), Problem.DAMAGED),
        (tf.equal(width * height, 0), Problem.DAMAGED),
        (pixels > MAX_PIXELS, Problem.TOO_LARGE),
    )
    data = unless(problem, data, numbers=(canvas_width, canvas_height))
    colors = _colors(data, content, frame)
    below, right = canvas_height - top - height, canvas_width - left - width
    return tf.pad(colors, [[top, below], [left, right], [0, 0]], constant_values=255)


def _byte(content: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return tf.cast(content[at], tf.int32)


def _word(content: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    return _byte(content, at) + 256 * _byte(content, at + 1)


def _table_size(flags: tf.Tensor) -> tf.Tensor:
    """The number of colours in the table of a canvas or a frame, by its flags."""
    return tf.where(flags >= 128, tf.bitwise.left_shift(2, flags % 8), 0)


def _find_frame(content: tf.Tensor, *, length: tf.Tensor) -> _Frame:
    """Walks over the blocks before the first frame, and over the parts of the frame."""

    def goes_on(position: tf.Tensor, state: tf.Tensor, *_: tf.Tensor) -> tf.Tensor:
        """Whether the walk reads on."""
        return tf.logical_and(state < _WHOLE, position < length)

    def step(position: tf.Tensor, state: tf.Tensor, at: tf.Tensor, control: tf.Tensor) -> tuple:
        """Reads the head of a block, or passes parts of one size."""
        return tf.cond(
            tf.equal(state, _BLOCK),
            lambda: _read_block(content, position, at, control),
            lambda: (*_pass_parts(content, position, state), at, control),
        )

    zero = tf.constant(0)
    start = (13 + 3 * _table_size(_byte(content, tf.constant(10))), zero, zero, zero)
    end, state, at, control = tf.while_loop(goes_on, step, start, maximum_iterations=_MAX_STEPS)
    return _Frame(state, at, control, end)


def _read_block(
    content: tf.Tensor, position: tf.Tensor, at: tf.Tensor, control: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
    head = _byte(content, position)
    is_frame, is_extension = tf.equal(head, ord(',')), tf.equal(head, ord('!'))
    is_control = tf.logical_and(is_extension, tf.equal(_byte(content, position + 1), 0xF9))
    # The code size of the compression stands between the table and the indexes.
    frame_head = 11 + 3 * _table_size(_byte(content, position + 9))
    return (
        position + tf.where(is_frame, frame_head, 2),
        tf.where(is_frame, _FRAME, tf.where(is_extension, _EXTENSION, _LOST)),
        tf.where(is_frame, position, at),
        tf.where(is_control, position, control),
    )


def _pass_parts(
    content: tf.Tensor, position: tf.Tensor, state: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Passes parts of one size. A part is its size in a byte, and its bytes; the last is empty."""
    size = content[position]
    stride = tf.cast(size, tf.int32) + 1
    same = tf.equal(content[position : position + _RUN * stride : stride], size)
    count = tf.reduce_sum(tf.math.cumprod(tf.cast(same, tf.int32)))
    is_last = tf.equal(size, 0)
    after = tf.where(tf.equal(state, _FRAME), _WHOLE, _BLOCK)
    return position + tf.where(is_last, 1, count * stride), tf.where(is_last, after, state)


def _colors(data: tf.Tensor, content: tf.Tensor, frame: _Frame) -> tf.Tensor:
    """uint8 [height, width, 3], the colours of the frame; refuses an index without a colour."""
    flags = _byte(content, frame.descriptor + 9)
    has_own = flags >= 128
    size = tf.where(has_own, _table_size(flags), _table_size(_byte(content, tf.constant(10))))
    begin = tf.where(has_own, frame.descriptor + 10, 13)
    table = tf.reshape(content[begin : begin + 3 * size], [-1, 3])
    table = tf.pad(table, [[0, 256 - size], [0, 0]], constant_values=255)
    is_clear = tf.logical_and(frame.control > 0, tf.equal(_byte(content, frame.control + 3) % 2, 1))
    clear = tf.where(is_clear, _byte(content, frame.control + 6), -1)
    index = tf.range(256)
    table = tf.where(tf.equal(index, clear)[:, tf.newaxis], tf.constant(255, tf.uint8), table)
    allowed = tf.logical_or(index < size, tf.equal(index, clear))
    found = tf.cast(_indexes(data, frame, flags), tf.int32)
    sound = tf.reduce_all(tf.gather(allowed, found))
    problem = first_problem((tf.logical_not(sound), Problem.DAMAGED))
    return tf.gather(table, unless(problem, found, numbers=(0, 0)))


def _indexes(data: tf.Tensor, frame: _Frame, flags: tf.Tensor) -> tf.Tensor:
    """uint8 [height, width], the indexes of the frame, decoded from a GIF of this frame alone."""
    size = tf.strings.substr(data, frame.descriptor + 5, 4)
    begin = frame.descriptor + 10 + 3 * _table_size(flags)
    packed = tf.where(tf.equal(flags // 64 % 2, 1), b'\xc7', b'\x87')
    parts = [b'GIF89a', size, b'\0\0\0', b',\0\0\0\0', size, packed, _INDEXES]
    parts += [tf.strings.substr(data, begin, frame.end - begin), b';']
    pixels = tf.io.decode_image(tf.strings.join(parts), channels=3, expand_animations=False)
    return tf.ensure_shape(pixels, [None, None, 3])[..., 0]
