"""`SequenceSpec`: what a step of a sequence is. A model depends on this part of `records.json`."""

import dataclasses
import hashlib
from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError

# What trailing steps hold: zeros, or random values.
TRAILING = ('blank', 'noise')
_KNOWN = {
    'kind': ('image', 'text', 'signal'),
    'dtype': ('uint8', 'uint16', 'float16'),
    'tokens': (None, 'bytes', 'characters'),
    'steps_per_pixel': (1, 3),
    'cut': ('head', 'tail', 'both'),
    'trailing': TRAILING,
    'jpeg': ('accurate', 'fast'),
}
# Fields that are younger than the format, with the values that change nothing. A field with such a
# value is left out of records.json, so that older trainers can read these records.
_LATER = {
    'steps_per_pixel': 1,
    'cut': 'head',
    'trailing_steps': 0,
    'trailing': 'blank',
    'trailing_seed': None,
    'jpeg': 'fast',
}
# Ids are stored in two bytes, and id 0 stands for all characters outside of the vocabulary.
MAX_VOCABULARY = 65_535


@dataclasses.dataclass(frozen=True)
class SequenceSpec:
    """The kind and the type of steps, and how raw bytes become steps.

    Attributes:
      kind: 'image' (all sequences have one length), 'text', or 'signal' (numbers of a .npy file).
      dtype: type of the stored values, which are little-endian: 'uint8'; 'uint16' for characters;
        'float16' for signals that are not uint8.
      channels: values per step; 1 or 3 for images, 1 for text, any number for signals.
      image_size: side of the square that images are resized to; None for other kinds.
      tokens: 'bytes' or 'characters' for text; None for other kinds.
      vocabulary_size: number of different ids; 256 for bytes, one more than the vocabulary has for
        characters; None for other kinds.
      max_steps: documents and signals are cut to this many steps; None: they stay whole.
      permutation_seed: the seed that `permutation` was drawn with; None if it was not drawn.
      permutation: step k shows pixel permutation[k] of the picture, counted row by row; None: step
        k shows pixel k.
      vocabulary: the characters that have an id. Id k stands for vocabulary[k - 1], and id 0 for
        every other character. None for all but characters, and while the job still counts them.
      steps_per_pixel: 3: red, green and blue of a pixel are three steps of one channel each, one
        after another; 1: a pixel is one step.
      cut: what `max_steps` leaves of a longer sequence: its 'head', its 'tail', or 'both' ends. Of
        both ends, the first is one step longer where max_steps is odd.
      trailing_steps: number of steps that are appended to every sequence, see `trailing.py`.
      trailing: what the appended steps hold: 'blank' (zeros) or 'noise'.
      trailing_seed: the seed of the noise; None for blank steps.
      jpeg: the inverse transform that JPEGs are decoded with: 'accurate'; 'fast' in older records,
        and where there are no images.
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
    steps_per_pixel: int = 1
    cut: str = 'head'
    trailing_steps: int = 0
    trailing: str = 'blank'
    trailing_seed: int | None = None
    jpeg: str = 'fast'

    def __post_init__(self) -> None:
        for name, known in _KNOWN.items():
            if getattr(self, name) not in known:
                raise LonghaulError(
                    f'SequenceSpec.{name}={getattr(self, name)!r}: this version knows '
                    f'{", ".join(map(repr, known))}; use the version that wrote the records'
                )
        if (self.kind == 'image') != (self.image_size is not None):
            raise LonghaulError(
                f'SequenceSpec.image_size={self.image_size}: images need one, {self.kind} has none'
            )
        self._check_channels()
        if self.permutation is not None:
            self._check_permutation(self.permutation)
        if self.vocabulary is not None:
            self._check_vocabulary(self.vocabulary)
        self._check_trailing()

    def _check_permutation(self, permutation: tuple[int, ...]) -> None:
        needed = (self.image_size or 0) ** 2
        if len(permutation) != needed:
            raise LonghaulError(
                f'SequenceSpec.permutation: {len(permutation)} places, {needed} are needed'
            )
        places = np.array(permutation, object)
        if (
            not all(type(place) is int for place in permutation)
            or (np.sort(places) != np.arange(needed)).any()
        ):
            raise LonghaulError(
                'SequenceSpec.permutation: damaged, each place must be there once; run '
                'python -m pipelines.main again with --overwrite'
            )

    def _check_channels(self) -> None:
        allowed = {'image': (1, 3), 'text': (1,)}.get(self.kind)
        if self.steps_per_pixel == 3:
            allowed = (1,)
        if self.channels < 1 or (allowed is not None and self.channels not in allowed):
            known = 'at least 1' if allowed is None else ' or '.join(map(str, allowed))
            raise LonghaulError(
                f'SequenceSpec.channels={self.channels}: {known} is known for {self.kind} with '
                f'steps_per_pixel={self.steps_per_pixel}; use the version that wrote the records'
            )

    def _check_vocabulary(self, vocabulary: str) -> None:
        size = len(vocabulary)
        if self.tokens != 'characters' or self.dtype != 'uint16':
            raise LonghaulError(
                f'SequenceSpec.vocabulary: is for characters stored as uint16, not for tokens='
                f'{self.tokens!r} and dtype={self.dtype!r}; use the version that wrote the records'
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

    def _check_trailing(self) -> None:
        noise = self.trailing == 'noise'
        if self.trailing_steps < 0 or noise != (self.trailing_seed is not None):
            raise LonghaulError(
                f'SequenceSpec.trailing_steps={self.trailing_steps}, trailing={self.trailing!r}, '
                f'trailing_seed={self.trailing_seed}: at least 0 steps are needed, and a seed for '
                'noise alone; use the version that wrote the records'
            )

    @property
    def vocabulary_sha256(self) -> str | None:
        """The hash of the vocabulary as UTF-8, in hex; None without a vocabulary."""
        if self.vocabulary is None:
            return None
        return hashlib.sha256(self.vocabulary.encode('utf-8', 'surrogatepass')).hexdigest()

    @property
    def colors(self) -> int:
        """The number of values in a pixel: 1 (gray) or 3 (RGB), whether in one step or in three."""
        return self.channels * self.steps_per_pixel

    @property
    def side(self) -> int:
        """The side of an image's square, in pixels.

        Raises:
          LonghaulError: for documents and signals, which have none.
        """
        if self.image_size is None:
            raise LonghaulError(
                f'SequenceSpec.image_size=None: a {self.kind} has no side; ask records of images'
            )
        return self.image_size

    @property
    def step_shape(self) -> tuple[int, ...]:
        """The shape of a stored step: (C,) for values, () for the one id in a step of text."""
        return () if self.kind == 'text' else (self.channels,)

    @property
    def picture_steps(self) -> int | None:
        """The number of steps that show an image's pixels; None for other kinds."""
        if self.image_size is None:
            return None
        return self.image_size**2 * self.steps_per_pixel

    @property
    def fixed_length(self) -> int | None:
        """The length of every sequence, trailing steps included; None where lengths differ."""
        if self.picture_steps is None:
            return None
        return self.picture_steps + self.trailing_steps

    @property
    def most_steps(self) -> int | None:
        """The length that no sequence exceeds, trailing steps included; None without a limit."""
        if self.max_steps is None:
            return self.fixed_length
        return self.max_steps + self.trailing_steps

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON values, for `from_json`."""
        values = dataclasses.asdict(self)
        if self.permutation is not None:
            values['permutation'] = list(self.permutation)
        for name, unsaid in _LATER.items():
            if values[name] == unsaid:
                del values[name]
        # Trainers that know no vocabularies can read records without one.
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
            raise LonghaulError(
                'SequenceSpec.vocabulary: missing, and characters need one; run '
                'python -m pipelines.main again with --overwrite'
            )
        if spec.vocabulary_sha256 != expected:
            raise LonghaulError(
                f'SequenceSpec.vocabulary: damaged, its sha256 is {spec.vocabulary_sha256} and not '
                f'{expected}; run python -m pipelines.main again with --overwrite'
            )
        return spec

    def with_vocabulary(self, vocabulary: str) -> 'SequenceSpec':
        """The spec with the vocabulary that the job has counted, and its size."""
        size = len(vocabulary) + 1
        return dataclasses.replace(self, vocabulary=vocabulary, vocabulary_size=size)

    def without_trailing(self) -> 'SequenceSpec':
        """The spec of the same sequences without their trailing steps."""
        if not self.trailing_steps:
            return self
        return dataclasses.replace(self, trailing_steps=0, trailing='blank', trailing_seed=None)


def text_spec(*, max_steps: int | None = None, cut: str = 'head') -> SequenceSpec:
    """The spec of documents as sequences of bytes."""
    return SequenceSpec('text', tokens='bytes', vocabulary_size=256, max_steps=max_steps, cut=cut)


def character_spec(*, max_steps: int | None = None, cut: str = 'head') -> SequenceSpec:
    """The spec of documents as characters, without a vocabulary; see `with_vocabulary`."""
    return SequenceSpec('text', dtype='uint16', tokens='characters', max_steps=max_steps, cut=cut)


def signal_spec(
    *, dtype: str, channels: int, max_steps: int | None = None, cut: str = 'head'
) -> SequenceSpec:
    """The spec of arrays of numbers, stored as uint8 or float16."""
    return SequenceSpec('signal', dtype=dtype, channels=channels, max_steps=max_steps, cut=cut)
