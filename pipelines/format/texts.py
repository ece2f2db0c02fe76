"""Text -> ids of its steps, and back.

A character is a Unicode code point. Text is not normalised: e + U+0301 are two characters, and
their composition is a third one. A byte order mark is a character like any other; the job drops the
one at the beginning of a text. Bytes that are not UTF-8 become U+FFFD, as with Python's
errors='replace'.
"""

import numpy as np
import tensorflow as tf

from pipelines.format.spec import SequenceSpec


def code_points(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """UTF-8 -> code points int32 [T]; of a long document at least those that the spec keeps."""
    if spec.max_steps is not None:
        data = _ends(data, spec.max_steps, spec.cut)
    return tf.strings.unicode_decode(data, 'UTF-8', errors='replace')


def _ends(data: tf.Tensor, max_steps: int, cut: str) -> tf.Tensor:
    """The bytes that hold all characters that the spec keeps; other bytes are not decoded.

    A character has at most four bytes. A character that is cut in two here lies beyond `max_steps`.
    """
    most = tf.constant(4 * max_steps, tf.int64)
    size = tf.cast(tf.strings.length(data), tf.int64)
    head = tf.strings.substr(data, tf.constant(0, tf.int64), most)
    tail = tf.strings.substr(data, tf.maximum(size - most, 0), most)
    if cut == 'both':
        return tf.where(size > 2 * most, head + tail, data)
    return head if cut == 'head' else tail


def ids_of(points: tf.Tensor, vocabulary: str) -> tf.Tensor:
    """Code points int32 [T] -> ids uint16 [T]; 0 for characters outside of the vocabulary.

    The ids are searched for in a constant. A lookup table would be state, which an exported model
    would have to carry.
    """
    known = np.array([ord(character) for character in vocabulary], np.int32)
    order = np.argsort(known)
    places = tf.minimum(tf.searchsorted(known[order], points), len(known) - 1)
    found = tf.equal(tf.gather(known[order], places), points)
    ids = tf.gather((order + 1).astype(np.int32), places)
    return tf.cast(tf.where(found, ids, tf.zeros_like(ids)), tf.uint16)


def text_of(ids: np.ndarray, spec: SequenceSpec) -> str:
    """The text of ids [T]; U+FFFD for bytes that are not UTF-8 and for unknown characters."""
    if spec.tokens == 'bytes':
        return bytes(ids.astype(np.uint8)).decode('utf-8', 'replace')
    characters = '\ufffd' + (spec.vocabulary or '')
    return ''.join(characters[i] for i in ids)
