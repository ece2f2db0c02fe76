"""Raw bytes -> steps of a sequence: ONE piece of code, in the job and inside the exported model.

Whoever serves a model sends what the job was fed: the bytes of an image file, or text. Both go
through `decode`, so that a model is never asked about pixels that it was not trained on.

A character is a Unicode code point, and text is taken as it is: nothing is normalised (e + U+0301
are two characters, their composition is a third one), a byte order mark is a character like any
other, and bytes that are no UTF-8 are read as U+FFFD, as Python's errors='replace' does.
"""

import dataclasses
import hashlib
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError

# ITU-R BT.601 luma. They add up to 1, so that gray stays exactly as it was: v, v, v -> v.
_LUMA = (0.299, 0.587, 0.114)
_KNOWN = {
    'kind': ('image', 'text'),
    'dtype': ('uint8', 'uint16', 'float16'),
    'channels': (1, 3),
    'tokens': (None, 'bytes', 'characters'),
}
# Ids are stored in two bytes, and 0 stands for all characters outside of the vocabulary.
MAX_VOCABULARY = 65_535


@dataclasses.dataclass(frozen=True)
class SequenceSpec:
    """What a step is, and how raw bytes become steps.

    Attributes:
      kind: 'image' (fixed length) or 'text'.
      dtype: of the stored values, little-endian: 'uint8', 'uint16' for characters ('float16' is
        reserved).
      channels: values per step; 1 or 3 for images, 1 for text.
      image_size: images are resized to this side and square; None for text.
      tokens: 'bytes' or 'characters' for text; None for images.
      vocabulary_size: number of different ids; 256 for bytes, one more than the vocabulary has for
        characters; None for images.
      max_steps: documents are cut to their first max_steps steps; None: whole.
      permutation_seed: of `permutation`; None: raster order.
      permutation: step t shows pixel permutation[t] of the raster, row by row; None: raster order.
      vocabulary: the characters that have an id: id k is vocabulary[k - 1], id 0 is any other one.
        None for bytes and images, and for characters while the job still counts them.
    """

    kind: str
    dtype: str = 'uint8'
    channels: int = 1
    image_size: int | None = None
    tokens: str | None = None
    vocabulary_size: int | None = None
    max_steps: int | None = None
    permutation_seed: int | None = None
    permutation: tuple[int, ...] | None = None
    vocabulary: str | None = None

    def __post_init__(self) -> None:
        for name, known in _KNOWN.items():
            if getattr(self, name) not in known:
                raise LonghaulError(
                    f'SequenceSpec.{name}={getattr(self, name)!r}: this version knows '
                    f'{", ".join(map(repr, known))}; use the version that wrote the records'
                )
        if (self.kind == 'image') != (self.image_size is not None):
            raise LonghaulError(
                f'SequenceSpec.image_size={self.image_size}: images need one, text has none'
            )
        if self.permutation is not None and len(self.permutation) != self.fixed_length:
            raise LonghaulError(
                f'SequenceSpec.permutation: {len(self.permutation)} places, {self.fixed_length} '
                'are needed'
            )
        if self.vocabulary is not None:
            self._check_vocabulary(self.vocabulary)

    def _check_vocabulary(self, vocabulary: str) -> None:
        size = len(vocabulary)
        if self.tokens != 'characters' or self.dtype != 'uint16':
            raise LonghaulError(
                f'SequenceSpec.vocabulary: is for characters stored as uint16, not for tokens='
                f'{self.tokens!r} and dtype={self.dtype!r}'
            )
        if not 1 <= size <= MAX_VOCABULARY or len(set(vocabulary)) != size:
            raise LonghaulError(
                f'SequenceSpec.vocabulary: {size} characters, {len(set(vocabulary))} of them '
                f'different; 1..{MAX_VOCABULARY} different ones are needed'
            )
        if self.vocabulary_size != size + 1:
            raise LonghaulError(
                f'SequenceSpec.vocabulary_size={self.vocabulary_size}: {size + 1} is needed for a '
                f'vocabulary of {size} characters'
            )

    @property
    def vocabulary_sha256(self) -> str | None:
        """Of the vocabulary as UTF-8; None without one."""
        if self.vocabulary is None:
            return None
        return hashlib.sha256(self.vocabulary.encode('utf-8', 'surrogatepass')).hexdigest()

    @property
    def fixed_length(self) -> int | None:
        """Steps of every sequence, or None when they differ."""
        return None if self.image_size is None else self.image_size**2

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        values = dataclasses.asdict(self)
        if self.permutation is not None:
            values['permutation'] = list(self.permutation)
        # Records without a vocabulary stay readable for trainers that know of none.
        if values.pop('vocabulary') is not None:
            values |= {
                'vocabulary': self.vocabulary,
                'vocabulary_sha256': self.vocabulary_sha256,
            }
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'SequenceSpec':
        """The inverse of `to_json`.

        Raises:
          LonghaulError: for a kind that this version does not know, or a damaged vocabulary.
        """
        values = dict(values)
        permutation = values.get('permutation')
        if permutation is not None:
            values['permutation'] = tuple(permutation)
        expected = values.pop('vocabulary_sha256', None)
        spec = cls(**values)
        if spec.tokens == 'characters' and spec.vocabulary is None:
            raise LonghaulError('SequenceSpec.vocabulary: missing, and characters need one')
        if spec.vocabulary_sha256 != expected:
            raise LonghaulError(
                f'SequenceSpec.vocabulary: damaged, its sha256 is {spec.vocabulary_sha256} and not '
                f'{expected}; run python -m pipelines.main again with --overwrite'
            )
        return spec

    def with_vocabulary(self, vocabulary: str) -> 'SequenceSpec':
        """The same for characters that have been counted; `vocabulary` as in the attributes."""
        size = len(vocabulary) + 1
        return dataclasses.replace(self, vocabulary=vocabulary, vocabulary_size=size)


def text_spec(*, max_steps: int | None = None) -> SequenceSpec:
    """Documents as bytes."""
    return SequenceSpec('text', tokens='bytes', vocabulary_size=256, max_steps=max_steps)


def character_spec(*, max_steps: int | None = None) -> SequenceSpec:
    """Documents as characters; see `SequenceSpec.with_vocabulary`."""
    return SequenceSpec('text', dtype='uint16', tokens='characters', max_steps=max_steps)


def decode(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Turns one raw item into steps; works in graphs.

    Args:
      data: scalar string: the bytes of a PNG or JPEG file, or text.
      spec: of the records.

    Returns:
      uint8 [T, C] for images (static shape), uint8 [T] for bytes, uint16 [T] for characters; int32
      [T], the code points themselves, for characters without a vocabulary.

    Raises:
      tf.errors.InvalidArgumentError: if the bytes are no image.
    """
    if spec.tokens == 'characters':
        points = _code_points(data, spec.max_steps)
        return points if spec.vocabulary is None else _ids(points, spec.vocabulary)
    if spec.kind == 'text':
        ids = tf.io.decode_raw(data, tf.uint8)
        return ids if spec.max_steps is None else ids[: spec.max_steps]
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return steps_from_pixels(tf.ensure_shape(pixels, [None, None, 3]), spec)


def _code_points(data: tf.Tensor, max_steps: int | None) -> tf.Tensor:
    if max_steps is not None:
        # No character takes more than four bytes: the rest of a long document is not even decoded.
        data = tf.strings.substr(
            data, tf.constant(0, tf.int64), tf.constant(4 * max_steps, tf.int64)
        )
    points = tf.strings.unicode_decode(data, 'UTF-8', errors='replace')
    return points if max_steps is None else points[:max_steps]


def _ids(points: tf.Tensor, vocabulary: str) -> tf.Tensor:
    """By search in a constant: a lookup table would be state that an export has to carry."""
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


def steps_from_pixels(pixels: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Colour, size and order of the pixels.

    Args:
      pixels: uint8 [H, W, 1 or 3].
      spec: of the records; an image of another size is resized (bilinear with antialiasing; the
        aspect is not kept), one of the right size is left exactly as it is.

    Returns:
      uint8 [T, C], row by row or in the order of the permutation.
    """
    values = tf.cast(pixels, tf.float32)
    if spec.channels == 1 and pixels.shape[-1] == 3:
        # Rounded before any resizing: a gray picture stays the same with 1 and with 3 channels.
        values = tf.round(tf.reduce_sum(values * tf.constant(_LUMA), axis=-1, keepdims=True))
    elif spec.channels == 3 and pixels.shape[-1] == 1:
        values = tf.repeat(values, 3, axis=-1)
    side = spec.image_size
    shape = tf.shape(values)
    fits = tf.logical_and(shape[0] == side, shape[1] == side)
    values = tf.cond(
        fits, lambda: values, lambda: tf.image.resize(values, [side, side], antialias=True)
    )
    steps = tf.cast(tf.clip_by_value(tf.round(values), 0, 255), tf.uint8)
    steps = tf.reshape(steps, [side * side, spec.channels])
    if spec.permutation is not None:
        steps = tf.gather(steps, np.array(spec.permutation, np.int32))
    return steps
