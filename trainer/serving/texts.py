"""Raw texts as the job reads them, in graphs: the same bytes are the same text on both sides.

The job takes UTF-8, or the encoding that a byte order mark says, and rejects all others; see
`pipelines/job/text_encoding.py`. A model knows no --encoding of the job: clients send UTF-8.
"""

import tensorflow as tf

_UTF8 = b'\xef\xbb\xbf'
# Longer marks come first: the mark of UTF-32 begins with that of UTF-16.
_WIDE = (
    (b'\xff\xfe\0\0', 'UTF-32LE'),
    (b'\0\0\xfe\xff', 'UTF-32BE'),
    (b'\xff\xfe', 'UTF-16LE'),
    (b'\xfe\xff', 'UTF-16BE'),
)


def as_utf8(data: tf.Tensor) -> tf.Tensor:
    """A text as UTF-8 without a byte order mark.

    Args:
      data: scalar string.

    Returns:
      Scalar string; '' for a blank text.

    Raises:
      tf.errors.InvalidArgumentError: for bytes that are not in the encoding of their mark, or
        without a mark not UTF-8.
    """
    text = _decoded(data, 0)
    blank = tf.equal(tf.strings.length(tf.strings.strip(text)), 0)
    return tf.where(blank, tf.constant(b''), text)


def _decoded(data: tf.Tensor, number: int) -> tf.Tensor:
    """The text by the first encoding from this one on whose mark is there, and which fits."""
    if number == len(_WIDE):
        text = _without(data, _UTF8)
        # The result is used, since a graph drops operations whose results are not.
        return tf.strings.unicode_transcode(text, 'UTF-8', 'UTF-8', errors='strict')
    mark, name = _WIDE[number]
    rest = _without(data, mark)

    def fitting() -> tf.Tensor:
        """The text, if nothing in it had to be replaced."""
        found = tf.strings.unicode_transcode(rest, name, 'UTF-8', errors='replace')
        whole = tf.strings.unicode_transcode(rest, name, 'UTF-8', errors='ignore')
        return tf.cond(tf.equal(found, whole), lambda: found, lambda: _decoded(data, number + 1))

    has_mark = tf.not_equal(tf.strings.length(rest), tf.strings.length(data))
    return tf.cond(has_mark, fitting, lambda: _decoded(data, number + 1))


def _without(data: tf.Tensor, mark: bytes) -> tf.Tensor:
    """The bytes behind a mark; all of them without it."""
    begins = tf.equal(tf.strings.substr(data, 0, len(mark)), mark)
    return tf.where(
        begins, tf.strings.substr(data, tf.minimum(len(mark), tf.strings.length(data)), -1), data
    )
