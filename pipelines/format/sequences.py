"""Raw bytes -> steps of a sequence: ONE piece of code, in the job and inside the exported model.

Whoever serves a model sends what the job was fed: the bytes of an image file, or text. Both go
through `decode`, so that a model is never asked about pixels that it was not trained on.
"""

import dataclasses
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
    'tokens': (None, 'bytes'),
}


@dataclasses.dataclass(frozen=True)
class SequenceSpec:
    """What a step is, and how raw bytes become steps.

    Attributes:
      kind: 'image' (fixed length) or 'text'.
      dtype: of the stored values, little-endian: 'uint8' ('uint16', 'float16' are reserved).
      channels: values per step; 1 or 3 for images, 1 for text.
      image_size: images are resized to this side and square; None for text.
      tokens: 'bytes' for text; None for images.
      vocabulary_size: number of different ids; 256 for bytes; None for images.
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

    @property
    def fixed_length(self) -> int | None:
        """Steps of every sequence, or None when they differ."""
        return None if self.image_size is None else self.image_size**2

    def to_json(self) -> dict[str, Any]:
        """A dict of JSON values."""
        values = dataclasses.asdict(self)
        if self.permutation is not None:
            values['permutation'] = list(self.permutation)
        return values

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> 'SequenceSpec':
        """The inverse of `to_json`."""
        permutation = values.get('permutation')
        if permutation is not None:
            values = {**values, 'permutation': tuple(permutation)}
        return cls(**values)


def text_spec(*, max_steps: int | None = None) -> SequenceSpec:
    """Documents as bytes."""
    return SequenceSpec('text', tokens='bytes', vocabulary_size=256, max_steps=max_steps)


def decode(data: tf.Tensor, spec: SequenceSpec) -> tf.Tensor:
    """Turns one raw item into steps; works in graphs.

    Args:
      data: scalar string: the bytes of a PNG or JPEG file, or text.
      spec: of the records.

    Returns:
      uint8 [T, C] for images (static shape), uint8 [T] for text.

    Raises:
      tf.errors.InvalidArgumentError: if the bytes are no image.
    """
    if spec.kind == 'text':
        ids = tf.io.decode_raw(data, tf.uint8)
        return ids if spec.max_steps is None else ids[: spec.max_steps]
    pixels = tf.io.decode_image(data, channels=3, expand_animations=False)
    return steps_from_pixels(tf.ensure_shape(pixels, [None, None, 3]), spec)


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
