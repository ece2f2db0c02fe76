"""Writes a shard under a temporary name, and renames it when it is complete.

The id of an item decides about its shard, and the hash of the id about its place in the shard. So
the same input gives the same bytes on any runner, with any number of workers, in any order of
arrival.
"""

import contextlib
import hashlib
import json
import posixpath
from collections.abc import Iterator
from typing import Any

import numpy as np
from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format import anchors, records, segments
from pipelines.format.anchors import AnchorSets
from pipelines.format.errors import LonghaulError
from pipelines.format.frames import INDEX_DTYPE, frame
from pipelines.format.serializing import serialize_examples
from pipelines.job import mark, metrics
from pipelines.job.few_labels import without_others
from pipelines.job.items import Hashed
from pipelines.job.labels import Labels
from pipelines.job.plan import Plan
from pipelines.job.reading import Batch, Decoded, Unusable, decoded, in_order
from pipelines.job.tally import Tally

_SHARD_STREAM = 21


def shards_of(id_hashes: np.ndarray, shards: int) -> np.ndarray:
    """The number of the shard that each id belongs to, in whichever split: uint64 [N]."""
    return anchors.mix(_SHARD_STREAM, id_hashes) % np.uint64(shards)


class _File:
    """A file that appears under its name when it is complete, unless another job has begun."""

    def __init__(self, name: str, plan: Plan) -> None:
        self._folder, self._job = plan.options.output, plan.job
        self._path = posixpath.join(self._folder, name)
        self._temporary = records.unfinished_name(self._path, self._job)
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
        """Gives the file its name; returns the sha256 of its content."""
        self._file.close()
        mark.refuse_another(self._folder, self._job)
        FileSystems.rename([self._temporary], [self._path])
        return self._sha256.hexdigest()

    def discard(self) -> None:
        """Removes the file if it is unfinished, as far as that is possible."""
        # File systems raise many kinds of errors, also for what is not there.
        with contextlib.suppress(Exception):
            self._file.close()
            FileSystems.delete([mark.literal(self._temporary)])


@contextlib.contextmanager
def _files(plan: Plan, *names: str) -> Iterator[list[_File]]:
    """Opens files of a shard; a refusal leaves no unfinished ones."""
    mark.refuse_another(plan.options.output, plan.job)
    files = [_File(name, plan) for name in names]
    try:
        yield files
    except LonghaulError:
        for file in files:
            file.discard()
        raise


def write_shard(
    split: str, shard: int, hashed: list[Hashed], plan: Plan, labels: Labels, threads: int = 1
) -> dict[str, Any]:
    """Writes a shard with its index and its rejected items.

    Args:
      split: of the shard.
      shard: the number of the shard.
      hashed: the items of the shard, in any order.
      plan: of the job.
      labels: the classes, and the numbers of labels.
      threads: number of threads that decode.

    Returns:
      The counts of the shard for `finish`, see `Tally.counts`.

    Raises:
      LonghaulError: if two items have the same id, or another job has begun to write there.
    """
    hashed = in_order(hashed)
    _refuse_duplicates(hashed, plan)
    name = records.shard_name(split, shard, plan.shards)
    tally = Tally(plan, labels)
    with _files(plan, f'{name}.tfrecord', f'{name}.index') as (data, index):
        for batch in decoded(hashed, plan, labels, threads):
            if split == 'train':
                batch = without_others(batch, plan)
            _write_batch(batch, plan, tally, data=data, index=index)
        return {
            'split': split,
            'files': _write_rejected(f'rejected-{name}.jsonl', tally.rejected, plan),
            'shard': {
                'name': name,
                'examples': tally.examples,
                'bytes': data.bytes,
                'sha256': data.finish(),
                'index_sha256': index.finish(),
            },
            **tally.counts(),
        }


def _write_batch(batch: Batch, plan: Plan, tally: Tally, *, data: _File, index: _File) -> None:
    """Appends the usable items of a batch to a shard and its index; counts all items."""
    bad = [found for found in batch.items if isinstance(found, Unusable)]
    good = [found for found in batch.items if isinstance(found, Decoded)]
    for found in bad:
        tally.reject(found)
    metrics.count('read', len(batch.items))
    metrics.count_rejected(found.verdict.reason for found in bad)
    if not good:
        return
    lengths = np.array([len(f.values) for f in good])
    drawn = _draw(np.array([f.hashed.hash for f in good], np.uint64), lengths, plan)
    payloads = serialize_examples(
        ids=[f.hashed.item.id for f in good],
        labels=[f.label for f in good],
        values=[f.values for f in good],
        anchors=drawn,
        segment_steps=plan.options.segment_steps,
    )
    frames = [frame(payload) for payload in payloads]
    rows = np.zeros(len(good), INDEX_DTYPE)
    sizes = np.array([len(f) for f in frames])
    rows['offset'] = data.bytes + np.cumsum(sizes) - sizes
    rows['bytes'] = sizes - len(frame(b''))
    rows['segments'] = segments.segment_count(lengths, plan.options.segment_steps)
    rows['length'] = lengths
    rows['id_hash'] = [f.hashed.hash for f in good]
    index.write(rows.tobytes())
    data.write(b''.join(frames))
    tally.add(good, lengths=lengths, drawn=drawn, batch=batch)
    metrics.count('written', len(good))
    metrics.count('steps', int(lengths.sum()))
    metrics.count('bytes', int(sizes.sum()))
    metrics.count_lengths(lengths.tolist())


def _draw(id_hashes: np.ndarray, lengths: np.ndarray, plan: Plan) -> AnchorSets:
    """The anchors of a batch: id hashes uint64 [N], lengths int64 [N] -> int32 [N, E, K] each."""
    options, fixed = plan.options, plan.spec.fixed_length is not None
    return anchors.sample_anchors(
        seed=options.seed,
        sets=range(options.anchor_sets),
        id_hashes=id_hashes,
        lengths=lengths,
        auxiliary_steps=anchors.auxiliary_length(lengths, plan.auxiliary_steps, fixed_length=fixed),
        anchors_per_sequence=options.anchors_per_sequence,
    )


def _write_rejected(name: str, lines: list[dict[str, str]], plan: Plan) -> dict[str, str]:
    """Writes the list of rejected items, if there are any: {name of the file: its sha256}."""
    if not lines:
        return {}
    with _files(plan, name) as (file,):
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
