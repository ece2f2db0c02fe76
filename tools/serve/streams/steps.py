"""Bytes of a stream, cut anywhere -> steps of the model."""

import codecs

import numpy as np

from pipelines.format.spec import SequenceSpec
from tools.serve.refusal import invalid


def steps_of(data: bytes, rest: bytes, spec: SequenceSpec) -> tuple[np.ndarray, bytes]:
    """Turns the next bytes of a stream into steps.

    Documents come as UTF-8, pictures and signals as the values of their steps one after another
    (uint8, or little-endian float16).

    Args:
      data: the next bytes.
      rest: what was left before.
      spec: of the sequences.

    Returns:
      The steps [T(, C)], T may be 0, and the bytes that are left: an incomplete step or character.

    Raises:
      Refusal: for bytes that are no steps.
    """
    data = rest + data
    if spec.tokens == 'bytes':
        return np.frombuffer(data, np.uint8), b''
    if spec.tokens == 'characters':
        return _characters(data, spec)
    dtype = np.dtype(spec.dtype).newbyteorder('<')
    whole = len(data) - len(data) % (dtype.itemsize * spec.channels)
    values = np.frombuffer(data[:whole], dtype).astype(spec.dtype).reshape(-1, spec.channels)
    if not np.isfinite(values).all():
        raise invalid('the values are not finite; leave them out, or scale them')
    return values, data[whole:]


def _characters(data: bytes, spec: SequenceSpec) -> tuple[np.ndarray, bytes]:
    decoder = codecs.getincrementaldecoder('utf-8')()
    try:
        text = decoder.decode(data)
    except UnicodeDecodeError as error:
        raise invalid(f'the text is not UTF-8 ({error.reason}); convert it first') from error
    known = np.array([ord(character) for character in spec.vocabulary or ''], np.uint32)
    found = np.frombuffer(text.encode('utf-32-le'), np.uint32)
    order = np.argsort(known)
    places = np.minimum(np.searchsorted(known[order], found), len(known) - 1)
    ids = np.where(known[order][places] == found, order[places] + 1, 0).astype(np.uint16)
    return ids, decoder.getstate()[0]
