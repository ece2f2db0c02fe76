"""Counts the content of a shard, batch by batch. `finish` adds the counts of all shards up."""

import zlib
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.format.anchors import AnchorSets
from pipelines.format.histograms import levels_of
from pipelines.format.values import Sums, add_up
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan
from pipelines.job.reading import Batch, Decoded, Unusable

_COUNT = np.dtype('<i8')


class Tally:
    """Counts the examples of a shard and lists its rejected items.

    Attributes:
      examples: number of examples.
      steps: number of their steps.
      rejected: the line of rejected-*.jsonl for each rejected item.
    """

    def __init__(self, plan: Plan, labels: Labels) -> None:
        self._plan = plan
        self._labels = labels
        self.examples = self.steps = 0
        self.rejected: list[dict[str, str]] = []
        self._classes: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter()
        self._tenths = {kind: np.zeros(10, np.int64) for kind in 'rp'}
        self._encodings: Counter[str] = Counter()
        self._sums = add_up([], plan.spec.channels)
        levels = levels_of(plan.spec)
        self._histogram = None if levels is None else np.zeros([plan.spec.channels, levels], _COUNT)

    def reject(self, found: Unusable) -> None:
        """Adds the line of an item that is not written."""
        item, reason = found.hashed.item, found.verdict
        line = {'id': item.id, 'place': self._plan.source.where(item), 'reason': reason.reason}
        if reason.detail:
            line['detail'] = reason.detail
        self.rejected.append(line)

    def add(
        self,
        found: Sequence[Decoded],
        *,
        lengths: np.ndarray,
        drawn: AnchorSets,
        batch: Batch,
    ) -> None:
        """Counts examples.

        Args:
          found: N examples in the order in which they are written.
          lengths: int64 [N], the steps of the examples.
          drawn: the anchors of the examples.
          batch: the batch of the examples, with the sums of its values.
        """
        spec = self._plan.spec
        self.examples += len(found)
        self.steps += int(lengths.sum())
        names = self._labels.names
        self._encodings.update(f.encoding for f in found)
        self._classes.update('' if f.label < 0 else names[f.label] for f in found)
        self._lengths.update(str(1 << (n - 1).bit_length()) for n in lengths.tolist())
        for kind, array in (('r', drawn.r_anchors), ('p', drawn.p_anchors)):
            tenths = array.astype(np.int64) * 10 // lengths[:, np.newaxis, np.newaxis]
            self._tenths[kind] += np.bincount(np.minimum(tenths, 9).reshape(-1), minlength=10)
        self._sums = add_up([self._sums, *batch.sums], spec.channels)
        if self._histogram is not None and batch.histogram is not None:
            self._histogram += batch.histogram

    def counts(self) -> dict[str, Any]:
        """All counts, for `finish`: JSON values, and the compressed histogram."""
        histogram = self._histogram
        # Compressed, since `finish` holds the histograms of all shards, which are mostly zeros.
        packed = None if histogram is None else zlib.compress(histogram.tobytes(), 1)
        # Only with a vocabulary 0 stands for what is not in it.
        no_vocabulary = self._plan.spec.vocabulary is None
        reasons: Counter[str] = Counter(line['reason'] for line in self.rejected)
        return {
            'classes': dict(self._classes),
            'lengths': dict(self._lengths),
            'steps': self.steps,
            'unknown': 0 if histogram is None or no_vocabulary else int(histogram[0, 0]),
            'encodings': dict(self._encodings),
            'rejected': dict(reasons),
            'anchors': {kind: tenths.tolist() for kind, tenths in self._tenths.items()},
            'values': list(self._sums),
            'histogram': packed,
        }


def sums_from(counts: dict[str, Any]) -> Sums:
    """The sums of values in the result of `Tally.counts`."""
    return Sums(*counts['values'])


def histogram_from(counts: dict[str, Any], channels: int) -> np.ndarray:
    """The histogram in the result of `Tally.counts`, int64 [C, levels]. Floats have none."""
    return np.frombuffer(zlib.decompress(counts['histogram']), _COUNT).reshape([channels, -1])
