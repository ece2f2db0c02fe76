"""Raw bytes -> steps of a sequence: ONE piece of code, in the job and inside the exported model.

Whoever serves a model sends what the job was fed: the bytes of an image file, or text. Both go
through `decode`, so that a model is never asked about pixels that it was not trained on.
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
# uint16 ids, one of them for all unknown characters.
MAX_VOCABULARY = (1 << 16) - 1
_UNKNOWN = 0
_REPLACEMENT = '\ufffd'


@dataclasses.dataclass(frozen=True)
class SequenceSpec:
    """What a step is, and how raw bytes become steps.

    Attributes:
      kind: 'image' (fixed length) or 'text'.
      dtype: of the stored values, little-endian: 'uint8', or 'uint16' for characters ('float16' is
        reserved).
      channels: values per step; 1 or 3 for images, 1 for text.
      image_size: images are resized to this side and square; None for text.
      tokens: 'bytes' or 'characters' for text; None for images.
      vocabulary_size: number of different ids: 256 for bytes; for characters those of `vocabulary`
        and one for all others; None for images, and for characters not yet counted.
      vocabulary: the characters known by id, most frequent first: id k is vocabulary[k - 1], id 0
        any other. A character is a Unicode code point: nothing is normalised, and a byte order mark
        is one too.
      max_steps: documents are cut to their first max_steps steps; None: whole.
      permutation_seed: of `permutation`; None: raster order.
      permutation: step t shows pixel permutation[t] of the raster, row by row; None: raster order.
    """

    kind: str
    dtype: str = 'uint8'
    channels: int = 1
    image_size: int | None = None
    tokens: str | None = None
    vocabulary_size: int | None = None
    vocabulary: str | None = None
    max_steps: int | None = None
    permutation_seed: int | None = None
    permutation: tuple[int, ...] | None = None

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

        known = None if self.vocabulary is None else len(self.vocabulary) + 1
        if known is not None and known != self.vocabulary_size:
            raise LonghaulError(
                f'SequenceSpec.vocabulary_size={self.vocabulary_size}: the vocabulary has '
                f'{known - 1} characters, and one id more is for all others'
            )

    @property
    def fixed_length(self) -> int | None:
        """Steps of every sequence, or None when they differ."""
        return None if self.image_size is None else self.image_size**2

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        values = dataclasses.asdict(self)
        if self.permutation is not None:
            values['permutation'] = list(self.permutation)
        if self.vocabulary is not None:
            values['vocabulary_sha256'] = _sha256(self.vocabulary)
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'SequenceSpec':
        """The inverse of `to_json`.

        Raises:
          LonghaulError: for a vocabulary that is not the one that was written.
        """
        values = dict(values)
        permutation = values.get('permutation')
        if permutation is not None:
            values['permutation'] = tuple(permutation)
        expected = values.pop('vocabulary_sha256', None)
        spec = cls(**values)
        found = None if spec.vocabulary is None else _sha256(spec.vocabulary)
        if found != expected:
            raise LonghaulError(
                f'the vocabulary is damaged (sha256 {found}, expected {expected}); run python -m '
                'pipelines.main again with --overwrite'
            )
        return spec


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode('utf-8')).hexdigest()


def text_spec(*, max_steps: int | None = None, tokens: str = 'bytes') -> SequenceSpec:
    """Documents as bytes, or as characters of a vocabulary that is not known yet."""
    if tokens == 'bytes':
        return SequenceSpec('text', tokens='bytes', vocabulary_size=256, max_steps=max_steps)
    return SequenceSpec('text', dtype='uint16', tokens='characters', max_steps=max_steps)


def with_vocabulary(spec: SequenceSpec, vocabulary: str) -> SequenceSpec:
    """The spec with the characters that have an id of their own, most frequent first."""
    return dataclasses.replace(spec, vocabulary=vocabulary, vocabulary_size=len(vocabulary) + 1)


def decode(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Turns one raw item into steps; works in graphs.

    Args:
      data: scalar string: the bytes of a PNG or JPEG file, or text.
      spec: of the records.

    Returns:
      uint8 [T, C] for images (static shape), uint8 [T] for bytes, uint16 [T] for characters.

    Raises:
      tf.errors.InvalidArgumentError: if the bytes are no image.
    """
    if spec.kind == 'text':
        if spec.tokens == 'characters':
            return _character_ids(code_points(data, spec), spec.vocabulary)
        ids = tf.io.decode_raw(data, tf.uint8)
        return ids if spec.max_steps is None else ids[: spec.max_steps]
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return steps_from_pixels(tf.ensure_shape(pixels, [None, None, 3]), spec)


def code_points(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Scalar string -> int32 [T], cut to max_steps; U+FFFD for what is no UTF-8."""
    found = tf.strings.unicode_decode(data, 'UTF-8', errors='replace')
    return found if spec.max_steps is None else found[: spec.max_steps]


def _character_ids(points: tf.Tensor, vocabulary: str) -> tf.Tensor:
    """Code points int32 [T] -> ids uint16 [T].

    By a search in a constant, not by a lookup table: nothing that an export could leave behind.
    """
    if not vocabulary:
        return tf.zeros_like(points, tf.uint16)
    known = np.array([ord(character) for character in vocabulary], np.int32)
    order = np.argsort(known)
    nearest = tf.minimum(tf.searchsorted(known[order], points), len(known) - 1)
    ids = tf.gather((order + 1).astype(np.int32), nearest)
    found = tf.equal(tf.gather(known[order], nearest), points)
    return tf.cast(tf.where(found, ids, _UNKNOWN), tf.uint16)


def text_of(ids: np.ndarray, spec: SequenceSpec) -> str:
    """Ids [T] as a person reads them; U+FFFD for what has no id or is no UTF-8."""
    if spec.tokens == 'bytes':
        return bytes(ids.astype(np.uint8)).decode('utf-8', 'replace')
    return ''.join(_REPLACEMENT if i == _UNKNOWN else spec.vocabulary[i - 1] for i in ids)


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
