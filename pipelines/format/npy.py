"""The bytes of a .npy file -> an array [T, C], by TensorFlow operations alone.

A .npy file (numpy.lib.format) consists of a magic string, a version, the length of a header, the
header (a Python dict with descr, fortran_order and shape), and the values. The header is matched by
regular expressions. It is never evaluated.
"""

import functools

import tensorflow as tf

from pipelines.format.refusals import refuse_unless
from pipelines.format.spec import SequenceSpec

_MAGIC = b'\x93NUMPY'
# NumPy itself refuses longer headers.
_LONGEST_HEADER = 10_000
# At most 12 digits: such a number times the channels and the bytes of a value does not overflow.
_NUMBER = r'(0|[1-9][0-9]{0,11})'
_KEY = r"""(?:'%s'|"%s")\s*:\s*"""
_VALUES = {
    'descr': r"""(?:'([^'"]*)'|"([^'"]*)"|\[.*\])""",
    'fortran_order': r'(True|False)',
    'shape': r'\(([0-9,\s]*)\)',
}
_ENTRIES = {name: _KEY % (name, name) + value for name, value in _VALUES.items()}
_ONE = '(?:' + '|'.join(_ENTRIES.values()) + ')'
_HEADER = rf'(?s)\{{\s*{_ONE}\s*,\s*{_ONE}\s*,\s*{_ONE}\s*,?\s*\}} *\n?'
_VECTOR, _MATRIX = rf'\s*{_NUMBER}\s*,\s*', rf'\s*{_NUMBER}\s*,\s*{_NUMBER}\s*,?\s*'
# By the name in a header: the type of the values, and whether they are little-endian.
_FLOATS = {
    f'{order}f{dtype.size}': (dtype, order == '<')
    for dtype in (tf.float16, tf.float32, tf.float64)
    for order in '<>'
}


def decode_npy(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Decodes one array; works in graphs.

    Args:
      data: scalar string, the bytes of a .npy file of version 1, 2 or 3: |u1 where the spec says
        uint8; <f2, >f2, <f4, >f4, <f8 or >f8 where it says float16. Its shape is (T, C), or (T,)
        for one channel; in C or in Fortran order.
      spec: of the records.

    Returns:
      [T, C] of the spec's dtype, T at least 1. Wider floats are rounded to the nearest float16,
      ties to even; float64 by way of float32.

    Raises:
      tf.errors.InvalidArgumentError: for all else, with the reason (`refusals.reason_of`).
    """
    header, body = _split(data)
    descr, fortran, steps = _read_header(header, spec)
    body = _checked_size(body, descr, steps, spec)
    values = _values(body, descr, spec)
    rows = tf.cond(
        fortran,
        lambda: tf.transpose(tf.reshape(values, [spec.channels, -1])),
        lambda: tf.reshape(values, [-1, spec.channels]),
    )
    return tf.ensure_shape(rows, [None, spec.channels])


def _split(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """(the header, the bytes behind the header)."""
    length = tf.strings.length(data)
    no_npy = 'not a .npy file'
    with tf.control_dependencies([refuse_unless(length >= 12, no_npy)]):
        start = tf.strings.substr(data, 0, 12)
    versions = '|'.join(rf'\x0{v}\x00' for v in (1, 2, 3))
    # The first byte of the magic is not UTF-8: a regular expression does not match it.
    magic = tf.equal(tf.strings.substr(start, 0, 6), _MAGIC)
    version = tf.strings.substr(start, 6, 2)
    known = tf.logical_and(magic, tf.strings.regex_full_match(version, versions))
    sizes = tf.cast(tf.io.decode_raw(tf.strings.substr(start, 8, 4), tf.uint8), tf.int64)
    # The length has two bytes in version 1, and four bytes in versions 2 and 3.
    short = tf.equal(version, b'\x01\x00')
    count = sizes[0] + 256 * sizes[1]
    count += tf.where(short, tf.zeros_like(count), 65536 * sizes[2] + 16777216 * sizes[3])
    begin = tf.where(short, tf.constant(10, tf.int64), tf.constant(12, tf.int64))
    fits = tf.logical_and(count <= _LONGEST_HEADER, begin + count <= tf.cast(length, tf.int64))
    checks = [refuse_unless(known, no_npy)]
    with tf.control_dependencies(checks):
        checks = [refuse_unless(fits, 'the header is damaged')]
    with tf.control_dependencies(checks):
        header = tf.strings.substr(data, begin, count)
        rest = tf.cast(length, tf.int64) - begin - count
        return header, tf.strings.substr(data, begin + count, rest)


def _read_header(header: tf.Tensor, spec: SequenceSpec) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """(descr string, fortran_order bool, T int64); refuses what the spec does not allow."""
    sound = tf.strings.regex_full_match(header, _HEADER)
    for entry in _ENTRIES.values():
        # There are three entries. If every key matches, each key occurs once.
        sound = tf.logical_and(sound, tf.strings.regex_full_match(header, f'(?s).*{entry}.*'))
    with tf.control_dependencies([refuse_unless(sound, 'the header is damaged')]):
        header = tf.identity(header)
    descr, fortran, shape = (_entry(header, name) for name in _ENTRIES)
    floats = spec.dtype != 'uint8'
    allowed = tf.reduce_any(tf.equal(descr, list(_FLOATS) if floats else ['|u1']))
    wanted = 'floating-point numbers' if floats else 'uint8'
    with tf.control_dependencies([refuse_unless(allowed, f'not an array of {wanted}', descr)]):
        descr, shape = tf.identity(descr), tf.identity(shape)
    return descr, tf.equal(fortran, 'True'), _steps(shape, spec)


def _entry(header: tf.Tensor, name: str) -> tf.Tensor:
    """The value of one key of the header, as text."""
    # A type is in the one or the other group, by its quotes.
    value = r'\1\2' if name == 'descr' else r'\1'
    return tf.strings.regex_replace(header, f'(?s)^.*{_ENTRIES[name]}.*$', value)


def _steps(shape: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """T int64 of a shape's text; refuses a C that is not the spec's."""
    vector = tf.strings.regex_full_match(shape, _VECTOR)
    known = tf.logical_or(vector, tf.strings.regex_full_match(shape, _MATRIX))
    detail = tf.strings.join(['shape (', shape, ')'])
    with tf.control_dependencies([refuse_unless(known, 'the shape is not [T, C]', detail)]):
        pair = tf.where(vector, tf.strings.join([shape, '1']), shape)
    steps, channels = (
        tf.strings.to_number(tf.strings.regex_replace(pair, f'^{_MATRIX}$', group), tf.int64)
        for group in (r'\1', r'\2')
    )
    reason = f'another number of channels than {spec.channels}'
    checks = [
        refuse_unless(tf.equal(channels, spec.channels), reason, detail),
        refuse_unless(steps > 0, 'the array is empty', detail),
    ]
    with tf.control_dependencies(checks):
        return tf.identity(steps)


def _checked_size(
    body: tf.Tensor, descr: tf.Tensor, steps: tf.Tensor, spec: SequenceSpec
) -> tf.Tensor:
    """The bytes of the values; refuses another number of bytes than the shape needs."""
    width = tf.strings.to_number(tf.strings.substr(descr, 2, 1), tf.int64)
    want = steps * spec.channels * width
    got = tf.cast(tf.strings.length(body), tf.int64)
    detail = tf.strings.join([tf.as_string(got), ' bytes, not ', tf.as_string(want)])
    check = refuse_unless(tf.equal(got, want), 'cut off or too long', detail)
    with tf.control_dependencies([check]):
        return tf.identity(body)


def _values(body: tf.Tensor, descr: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Bytes -> values [T * C] of the spec's dtype; refuses values that are not finite."""
    if spec.dtype == 'uint8':
        return tf.io.decode_raw(body, tf.uint8)
    number = tf.argmax(tf.equal(descr, list(_FLOATS)), output_type=tf.int32)
    branches = [functools.partial(_floats, body, *kind) for kind in _FLOATS.values()]
    values, finite, fits = tf.switch_case(number, branches)
    with tf.control_dependencies([refuse_unless(finite, 'the array holds NaN or infinite values')]):
        check = refuse_unless(fits, 'values beyond the range of float16')
    with tf.control_dependencies([check]):
        return tf.identity(values)


def _floats(body: tf.Tensor, dtype: tf.DType, little_endian: bool) -> tuple:
    """(values as float16, whether the given values are finite, whether the float16 values are)."""
    values = tf.io.decode_raw(body, dtype, little_endian=little_endian)
    finite = tf.reduce_all(tf.math.is_finite(values))
    # float64 becomes float32 first: compilers differ in how they round float64 to float16.
    stored = tf.cast(tf.cast(values, tf.float32), tf.float16)
    return stored, finite, tf.reduce_all(tf.math.is_finite(stored))
