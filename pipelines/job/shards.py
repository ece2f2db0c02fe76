"""Writes one shard: sorted by hash of the id, to a temporary name, then renamed.

The shard of an item follows from its id alone, and so does its place in the shard: the same input
gives the same bytes on any runner, with any number of workers, in any order of arrival.
"""

import hashlib
import json
import posixpath
from collections import Counter
from typing import Any

import numpy as np
from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format import anchors, examples, records, segments
from pipelines.format.errors import LonghaulError
from pipelines.format.index import INDEX_DTYPE, frame
from pipelines.job.items import Hashed, Payload, Rejected
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan
from pipelines.job.reading import in_order, label_and_values, read_payloads

_SHARD_STREAM = 21


def shard_of(id_hash: int, shards: int) -> int:
    """The shard of an id, independent of its split."""
    return int(anchors.mix(_SHARD_STREAM, np.uint64(id_hash))) % shards


class _File:
    """A file that appears under its name when it is whole."""

    def __init__(self, path: str) -> None:
        self.path, self._temporary = path, f'{path}.partial'
        self._sha256, self.bytes = hashlib.sha256(), 0
        self._file = FileSystems.create(
            self._temporary,
            mime_type='application/octet-stream',
            compression_type=CompressionTypes.UNCOMPRESSED,
        )

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._sha256.update(data)
        self.bytes += len(data)

    def finish(self) -> str:
        """Renames; returns the sha256 of the content."""
        self._file.close()
        FileSystems.rename([self._temporary], [self.path])
        return self._sha256.hexdigest()


def write_shard(
    split: str, shard: int, hashed: list[Hashed], plan: Plan, labels: Labels
) -> dict[str, Any]:
    """Writes a shard with its index and its rejected items.

    Args:
      split: of the shard.
      shard: its number.
      hashed: its items, in any order.
      plan: of the job.
      labels: numbers of the labels.

    Returns:
      JSON values: what `finish` adds up.

    Raises:
      LonghaulError: for two items of one id.
    """
    hashed = in_order(hashed)
    _refuse_duplicates(hashed, plan)
    name = records.shard_name(split, shard, plan.shards)
    path = posixpath.join(plan.options.output, name)
    data, index = _File(f'{path}.tfrecord'), _File(f'{path}.index')
    tally = _Tally(plan, labels)
    for entry, payload in read_payloads(hashed, plan):
        record = tally.encode(entry, payload)
        if record is not None:
            tally.index(data.bytes, record)
            data.write(frame(record))
    index.write(np.array(tally.rows, INDEX_DTYPE).tobytes())
    return {
        'split': split,
        'files': _write_rejected(f'rejected-{name}.jsonl', tally.rejected, plan),
        'shard': {
            'name': name,
            'examples': len(tally.rows),
            'bytes': data.bytes,
            'sha256': data.finish(),
            'index_sha256': index.finish(),
        },
        **tally.counts(),
    }


def _write_rejected(name: str, lines: list[dict[str, str]], plan: Plan) -> dict[str, str]:
    """Writes a shard's rejected items, if there are any; name of the file -> its sha256."""
    if not lines:
        return {}
    file = _File(posixpath.join(plan.options.output, name))
    for line in lines:
        file.write((json.dumps(line, ensure_ascii=True) + '\n').encode())
    return {name: file.finish()}


def _refuse_duplicates(hashed: list[Hashed], plan: Plan) -> None:
    for a, b in zip(hashed, hashed[1:], strict=False):
        if a.hash == b.hash:
            places = ' and '.join(plan.source.where(h.item) for h in (a, b))
            raise LonghaulError(
                f'duplicate id {a.item.id!r} ({places}); ids must differ: rename one of them'
            )


class _Tally:
    """Serializes the items of a shard and counts."""

    def __init__(self, plan: Plan, labels: Labels) -> None:
        self._plan = plan
        self._labels = labels
        self.rows: list[tuple] = []
        self.rejected: list[dict[str, str]] = []
        self._classes: Counter[str] = Counter()
        self._lengths: Counter[str] = Counter()
        self._anchors: dict[str, Counter[int]] = {'r': Counter(), 'p': Counter()}
        self._steps = self._unknown = 0
        self._encodings: Counter[str] = Counter()
        self._pending: tuple | None = None

    def encode(self, hashed: Hashed, payload: Payload | Rejected) -> bytes | None:
        """The serialized example, or None for a rejected item."""
        item = hashed.item
        try:
            label, values = label_and_values(item, payload, self._plan, self._labels)
        except Rejected as reason:
            line = {'id': item.id, 'place': self._plan.source.where(item), 'reason': reason.reason}
            if reason.detail:
                line['detail'] = reason.detail
            self.rejected.append(line)
            return None
        drawn = self._draw(hashed.hash, len(values))
        self._count(label, values, drawn)
        self._encodings[payload.encoding] += 1
        count = segments.segment_count(len(values), self._plan.options.segment_steps)
        self._pending = (count, len(values), hashed.hash)
        return examples.serialize_example(
            example_id=item.id,
            label=label,
            values=values,
            anchors=drawn,
            segment_steps=self._plan.options.segment_steps,
        )

    def index(self, offset: int, record: bytes) -> None:
        """Notes where the example just encoded is written."""
        self.rows.append((offset, len(record), *self._pending))

    def _draw(self, id_hash: int, length: int) -> anchors.AnchorSets:
        options, spec = self._plan.options, self._plan.spec
        lengths = np.array([length])
        steps = anchors.auxiliary_length(
            lengths, self._plan.auxiliary_steps, fixed_length=spec.fixed_length is not None
        )
        return anchors.sample_anchors(
            seed=options.seed,
            sets=range(options.anchor_sets),
            id_hashes=np.array([id_hash], np.uint64),
            lengths=lengths,
            auxiliary_steps=steps,
            anchors_per_sequence=options.anchors_per_sequence,
        )

    def _count(self, label: int, values: np.ndarray, drawn: anchors.AnchorSets) -> None:
        length = len(values)
        self._classes['' if label < 0 else self._labels.names[label]] += 1
        self._steps += length
        if self._plan.spec.vocabulary is not None:
            self._unknown += int((values == 0).sum())
        self._lengths[str(1 << (length - 1).bit_length())] += 1
        for name, array in (('r', drawn.r_anchors), ('p', drawn.p_anchors)):
            tenths = np.minimum(array.reshape(-1) * 10 // length, 9)
            self._anchors[name].update(tenths.tolist())

    def counts(self) -> dict[str, Any]:
        """What is added up over the shards."""
        reasons: Counter[str] = Counter(line['reason'] for line in self.rejected)
        return {
            'classes': dict(self._classes),
            'lengths': dict(self._lengths),
            'steps': self._steps,
            'unknown': self._unknown,
            'encodings': dict(self._encodings),
            'rejected': dict(reasons),
            'anchors': {k: [c[i] for i in range(10)] for k, c in self._anchors.items()},
        }
