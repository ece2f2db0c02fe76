"""Text -> ids of its steps, and back.

A character is a Unicode code point, and text is taken as it is: nothing is normalised (e + U+0301
are two characters, their composition is a third one), a byte order mark is a character like any
other (the job leaves out the one that a text begins with), and bytes that are no UTF-8 are read as
U+FFFD, as Python's errors='replace' does.
"""

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec


def code_points(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """UTF-8 -> int32 [T], of a long document at least those that `spec` leaves of it."""
    if spec.max_steps is not None:
        data = _ends(data, spec)
    return tf.strings.unicode_decode(data, 'UTF-8', errors='replace')


def _ends(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """The bytes that hold all that is left of a long document: the rest is not even decoded.

    No character takes more than four bytes, so that one that is cut in two lies beyond `max_steps`.
    """
    most = tf.constant(4 * spec.max_steps, tf.int64)
    size = tf.cast(tf.strings.length(data), tf.int64)
    head = tf.strings.substr(data, tf.constant(0, tf.int64), most)
    tail = tf.strings.substr(data, tf.maximum(size - most, 0), most)
    if spec.cut == 'both':
        return tf.where(size > 2 * most, head + tail, data)
    return head if spec.cut == 'head' else tail


def ids_of(points: tf.Tensor, vocabulary: str) -> tf.Tensor:
    """Code points int32 [T] -> uint16 [T], 0 where the vocabulary has none.

    By search in a constant: a lookup table would be state that an export has to carry.
    """
    known = np.array([ord(character) for character in vocabulary], np.int32)
    order = np.argsort(known)
    places = tf.minimum(tf.searchsorted(known[order], points), len(known) - 1)
    found = tf.equal(tf.gather(known[order], places), points)
    ids = tf.gather((order + 1).astype(np.int32), places)
    return tf.cast(tf.where(found, ids, tf.zeros_like(ids)), tf.uint16)


def text_of(ids: np.ndarray, spec: SequenceSpec) -> str:
    """The text that ids [T] stand for; U+FFFD for what is no UTF-8 or outside of the vocabulary."""
    if spec.tokens == 'bytes':
        return bytes(ids.astype(np.uint8)).decode('utf-8', 'replace')
    characters = '\ufffd' + spec.vocabulary
    return ''.join(characters[i] for i in ids)
