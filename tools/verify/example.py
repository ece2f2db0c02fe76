"""One record, compared with what records.json and the index say of it."""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError

from pipelines.format import anchors
from pipelines.format.records import RecordsInfo
from pipelines.format.segments import join, segment_count
from pipelines.format.trailing import tails

_ANCHORS = anchors.AnchorSets._fields
_NAMES = {'id', 'label', 'length', 'segments', *_ANCHORS}


class Example:
    """The content of one record.

    Attributes:
      id: of the example.
      label: -1 for none.
      values: of all steps, [T, C]; None if the segments do not hold as many.
      length: T.
      segments: the bytes of each segment.
    """

    def __init__(self, payload: bytes, info: RecordsInfo) -> None:
        """Parses a record.

        Raises:
          ValueError: if it is no example of this format; it says why.
        """
        try:
            features = tf.train.Example.FromString(payload).features.feature
        except DecodeError as error:
            raise ValueError('no tf.train.Example') from error
        if features.keys() != _NAMES:
            raise ValueError(f'has the features {sorted(features)}, not {sorted(_NAMES)}')
        try:
            self.id = features['id'].bytes_list.value[0].decode('utf-8', 'surrogateescape')
            self.label = features['label'].int64_list.value[0]
            self.length = features['length'].int64_list.value[0]
        except IndexError as error:
            raise ValueError('id, label or length is empty') from error
        self.segments = list(features['segments'].bytes_list.value)
        self.anchors = {n: np.array(features[n].int64_list.value, np.int64) for n in _ANCHORS}
        self._info = info
        spec, stored = info.spec, b''.join(self.segments)
        dtype = np.dtype(spec.dtype).newbyteorder('<')
        self.values: np.ndarray | None = None
        if len(stored) == max(1, self.length) * spec.channels * dtype.itemsize:
            self.values = np.frombuffer(stored, dtype).reshape([-1, spec.channels])

    def faults(self, entry: np.void) -> Iterator[str]:
        """Says what is wrong with the example.

        Args:
          entry: the example's row of the index.
        """
        spec, info = self._info.spec, self._info
        if not -1 <= self.label < len(info.class_names):
            yield f'label {self.label}: there are {len(info.class_names)} classes'
        if self.length != spec.fixed_length and spec.fixed_length is not None:
            yield f'length {self.length}: {spec.fixed_length} is needed'
        if spec.max_steps is not None and self.length > spec.most_steps:
            yield f'length {self.length}: at most {spec.most_steps} is allowed'
        if self.length < 1 + spec.trailing_steps:
            yield f'length {self.length}: at least {1 + spec.trailing_steps} is needed'
            return
        wrong = self._wrong_segments()
        if wrong:
            yield wrong
        else:
            yield from self._wrong_values()
        yield from self._wrong_anchors()
        yield from self._wrong_index(entry)

    def _wrong_segments(self) -> str | None:
        info = self._info
        width = info.spec.channels * np.dtype(info.spec.dtype).itemsize
        count = segment_count(self.length, info.segment_steps)
        first = (self.length - 1) % info.segment_steps + 1
        want = [first * width] + [info.segment_steps * width] * (count - 1)
        got = [len(segment) for segment in self.segments]
        return None if got == want else f'segments of {got} bytes, {want} are needed'

    def _wrong_values(self) -> Iterator[str]:
        spec = self._info.spec
        values = join(self.segments, dtype=spec.dtype)
        if spec.vocabulary_size is not None and values.max(initial=0) >= spec.vocabulary_size:
            yield f'id {values.max()}: the vocabulary has {spec.vocabulary_size}'
        if not np.isfinite(values).all():
            step = int(np.argmin(np.isfinite(values))) // spec.channels
            yield f'step {step} holds NaN or an infinite value'
        if spec.trailing_steps:
            yield from self._wrong_trailing(values.reshape([-1, spec.channels]))

    def _wrong_trailing(self, values: np.ndarray) -> Iterator[str]:
        spec = self._info.spec
        (tail,) = tails(spec, np.array([anchors.id_hash(self.id)], np.uint64))
        own = self.length - spec.trailing_steps
        wrong = (values[own:] != tail.reshape([-1, spec.channels])).any(axis=1)
        if wrong.any():
            step = own + int(np.argmax(wrong))
            yield f'trailing step {step} is not what {spec.trailing} steps of its id hold'

    def _wrong_anchors(self) -> Iterator[str]:
        """Checks the bounds first, which say more, then that the job's function draws the same."""
        info, shape = self._info, self._info.anchor_sets * self._info.anchors_per_sequence
        for name, values in self.anchors.items():
            if len(values) != shape:
                yield f'{len(values)} {name}: {shape} are needed'
                return
        lengths = np.array([self.length])
        fixed = info.spec.fixed_length is not None
        steps = anchors.auxiliary_length(lengths, info.auxiliary_steps, fixed_length=fixed)
        r, start, p = (self.anchors[name] for name in _ANCHORS)
        most_p = max(0, self.length - int(steps[0]) - 1)
        bounds = (
            ('r_anchors', r, steps[0], self.length),
            ('r_starts', start, 0, r - steps[0]),
            ('p_anchors', p, 0, most_p),
        )
        inside = True
        for name, values, low, high in bounds:
            if np.any((values < low) | (values > high)):
                inside = False
                yield f'{name} {values.tolist()}: {low} to {np.max(high)} is allowed'
        drawn = anchors.sample_anchors(
            seed=info.seed,
            sets=range(info.anchor_sets),
            id_hashes=np.array([anchors.id_hash(self.id)], np.uint64),
            lengths=lengths,
            auxiliary_steps=steps,
            anchors_per_sequence=info.anchors_per_sequence,
        )
        same = (np.array_equal(a.reshape(-1), v) for a, v in zip(drawn, (r, start, p), strict=True))
        if inside and not all(same):
            yield 'anchors are not those of its id'

    def _wrong_index(self, entry: np.void) -> Iterator[str]:
        want = {
            'segments': segment_count(self.length, self._info.segment_steps),
            'length': self.length,
            'id_hash': anchors.id_hash(self.id),
        }
        for name, value in want.items():
            if int(entry[name]) != value:
                yield f'the index says {name} {int(entry[name])}, the record {value}'
