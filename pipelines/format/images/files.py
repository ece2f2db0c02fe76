"""Image files -> upright RGB pixels, in graphs, for the job and for exported models.

A table in docs/images.md says what becomes of each kind of file. The headers of a file are checked
before its pixels are decoded.
"""

import tensorflow as tf

from pipelines.format.images import exif, scans
from pipelines.format.images.bmp import decode_bmp
from pipelines.format.images.gif import decode_gif
from pipelines.format.images.limits import MAX_ALPHA_PIXELS, MAX_PIXELS
from pipelines.format.images.plain import Kind
from pipelines.format.images.refusals import Problem, first_problem, unless
from pipelines.format.images.white import over_white

# The first four bytes of each kind of file, and which of their bits must agree.
_KINDS = {
    b'\x89PNG': 0xFFFFFFFF,
    b'\xff\xd8\xff\0': 0xFFFFFF00,
    b'GIF8': 0xFFFFFFFF,
    b'BM\0\0': 0xFFFF0000,
}
# Names of TensorFlow for the transforms of a spec; '' is what it takes unasked.
_DCT = {'accurate': 'INTEGER_ACCURATE', 'fast': ''}
_REST_OF_PNG, _IHDR = 0x0D0A1A0A, 0x49484452
_PNG_GRAY, _PNG_PALETTE, _PNG_WITH_ALPHA = 0, 3, (4, 6)
# By orientation: whether to flip rows, columns, channels. For orientations 5..8, rows and columns
# have changed places before.
_FLIPS = tuple(
    (orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7), False) for orientation in range(9)
)


def _signed(number: int) -> int:
    """An unsigned number of 32 bits as the signed one that TensorFlow reads."""
    return number - (1 << 32) if number >> 31 else number


@tf.function(autograph=False)
def decode_pixels(data: tf.Tensor, jpeg: str = 'accurate') -> tf.Tensor:
    """Decodes a PNG, JPEG, GIF (its first frame) or BMP file.

    Args:
      data: scalar string.
      jpeg: the transform of JPEGs, 'accurate' or 'fast', see `SequenceSpec`.

    Returns:
      uint8 [H, W, 3], turned upright; transparent pixels are put on white.

    Raises:
      tf.errors.InvalidArgumentError: for another kind of file, for damage and for more than
        `refusals.MAX_PIXELS` pixels; `refusals.reason_of` reads the reason.
    """
    words = tf.io.decode_raw(data, tf.int32, little_endian=False, fixed_length=28)
    masks = tf.constant([_signed(mask) for mask in _KINDS.values()])
    names = tf.constant([_signed(int.from_bytes(name, 'big')) for name in _KINDS])
    is_kind = tf.equal(tf.bitwise.bitwise_and(words[0], masks), names)
    problem = first_problem(
        (tf.equal(tf.strings.length(data), 0), Problem.EMPTY),
        (tf.logical_not(tf.reduce_any(is_kind)), Problem.OTHER_KIND),
    )
    data = unless(problem, data, numbers=(0, 0))
    upright = tf.constant(1)
    pixels, orientation = tf.switch_case(
        tf.argmax(is_kind, output_type=tf.int32),
        [
            lambda: _png(data, words),
            lambda: _jpeg(data, jpeg),
            lambda: (decode_gif(data), upright),
            lambda: (decode_bmp(data), upright),
        ],
    )
    turned = tf.cond(
        tf.equal(orientation, 1), lambda: pixels, lambda: turn(pixels, orientation=orientation)
    )
    return tf.ensure_shape(turned, [None, None, 3])


def decode_plain(data: tf.Tensor, *, kind: Kind, jpeg: str = 'accurate') -> tf.Tensor:
    """Decodes a plain PNG or JPEG as `decode_pixels` does, in one operation.

    Args:
      data: scalar string.
      kind: of the file, from `plain.kind_of`; PNG or JPEG.
      jpeg: see `decode_pixels`.

    Returns:
      uint8 [H, W, 3].
    """
    if kind is Kind.PNG:
        return tf.io.decode_png(data, channels=3)
    return tf.io.decode_jpeg(data, channels=3, dct_method=_DCT[jpeg])


def turn(pixels: tf.Tensor, *, orientation: tf.Tensor) -> tf.Tensor:
    """Turns a picture upright.

    Args:
      pixels: [H, W, C].
      orientation: int32 scalar, 1..8 as EXIF counts them.

    Returns:
      [H, W, C], or [W, H, C] for orientations 5..8.
    """
    order = tf.where(orientation >= 5, tf.constant([1, 0, 2]), tf.constant([0, 1, 2]))
    flipped = tf.gather(_FLIPS, orientation)
    return tf.raw_ops.Reverse(tensor=tf.transpose(pixels, order), dims=flipped)


def _size_problems(width: tf.Tensor, height: tf.Tensor) -> tuple[tuple[tf.Tensor, Problem], ...]:
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    return (
        (tf.logical_or(width <= 0, height <= 0), Problem.DAMAGED),
        (pixels > MAX_PIXELS, Problem.TOO_LARGE),
    )


def _png(data: tf.Tensor, words: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a PNG.

    Args:
      data: scalar string.
      words: int32 [7], the first words of the file, big-endian.

    Returns:
      (uint8 [H, W, 3], orientation int32 scalar).
    """
    width, height, color_type = words[4], words[5], words[6] // 65536 % 256
    bits = words[6] // (1 << 24)
    found = exif.of_png(data)
    has_alpha = tf.logical_or(tf.reduce_any(tf.equal(color_type, _PNG_WITH_ALPHA)), found.marked)
    pixels = tf.cast(width, tf.int64) * tf.cast(height, tf.int64)
    problem = first_problem(
        (tf.not_equal(words[1], _REST_OF_PNG), Problem.OTHER_KIND),
        (tf.not_equal(words[3], _IHDR), Problem.DAMAGED),
        *_size_problems(width, height),
        (found.endless, Problem.DAMAGED),
        (tf.logical_and(has_alpha, pixels > MAX_ALPHA_PIXELS), Problem.LARGE_ALPHA),
    )
    data = unless(problem, data, numbers=(width, height))

    def composited() -> tf.Tensor:
        """The pixels over white."""
        pixels = tf.io.decode_png(data, channels=4)
        # Where libpng ignores a tRNS chunk, it fills alpha with as many ones as the gray has bits.
        few = tf.logical_and(tf.equal(color_type, _PNG_GRAY), bits < 8)
        filler = tf.where(few, tf.bitwise.left_shift(1, bits) - 1, 255)
        alpha = pixels[..., 3:]
        filled = tf.equal(alpha, tf.cast(filler, tf.uint8))
        alpha = tf.where(filled, tf.constant(255, tf.uint8), alpha)
        return over_white(pixels[..., :3], alpha=alpha)

    def of_palette() -> tf.Tensor:
        """Over white, if libpng sees a tRNS chunk: it ignores one that is damaged."""
        pixels = tf.io.decode_png(data, channels=0)
        colors = pixels[..., :3]
        return tf.cond(
            tf.equal(tf.shape(pixels)[2], 4),
            lambda: over_white(colors, alpha=pixels[..., 3:]),
            lambda: colors,
        )

    # libpng makes a picture of few bits transparent if it is asked for an alpha that is not there.
    pixels = tf.cond(
        has_alpha,
        lambda: tf.cond(tf.equal(color_type, _PNG_PALETTE), of_palette, composited),
        lambda: tf.io.decode_png(data, channels=3),
    )
    return pixels, found.orientation


def _jpeg(data: tf.Tensor, transform: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Decodes a JPEG: (uint8 [H, W, 3], orientation int32 scalar)."""
    shape = tf.io.extract_jpeg_shape(data)
    is_cmyk = tf.equal(shape[2], 4)
    found = exif.of_jpeg(data, always=is_cmyk)
    unclear = tf.logical_and(is_cmyk, tf.logical_not(found.marked))
    pixels = tf.cast(shape[0], tf.int64) * tf.cast(shape[1], tf.int64)
    problem = first_problem(
        *_size_problems(shape[1], shape[0]),
        (found.endless, Problem.DAMAGED),
        (unclear, Problem.UNCLEAR_CMYK),
        (scans.too_many(data, pixels), Problem.MANY_SCANS),
    )
    data = unless(problem, data, numbers=(shape[1], shape[0]))
    return tf.io.decode_jpeg(data, channels=3, dct_method=_DCT[transform]), found.orientation
