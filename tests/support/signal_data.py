"""Small records of signals, written by the format layer alone, and the arrays that they hold."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.format import anchors, records, segments
from pipelines.format.frames import INDEX_DTYPE, frame
from pipelines.format.histograms import entropies_of, histogram_of
from pipelines.format.serializing import serialize_examples
from pipelines.format.spec import SequenceSpec, signal_spec
from pipelines.format.values import add_up, sums_of

AUXILIARY_STEPS, SETS = 16, 2
CLASSES = ('slow', 'fast')


class Signal(NamedTuple):
    """An example: values [T, C] as stored."""

    id: str
    label: int
    values: np.ndarray


def signals(spec: SequenceSpec, count: int, *, most: int = 90, split: str = 'train') -> list:
    """Sinusoids of two frequencies, 1 to `most` steps long; one in ten has no label."""
    found = []
    for i in range(count):
        rng = np.random.default_rng([i, len(split)])
        label, steps = i % 2, 1 + i * most // count
        phases = rng.uniform(0, 6, spec.channels) + np.arange(steps)[:, np.newaxis] * (
            0.2 + 0.5 * label
        )
        values = np.sin(phases) + rng.normal(scale=0.1, size=phases.shape)
        if spec.dtype == 'uint8':
            values = (values * 60 + 128).round().clip(0, 255)
        known = label if i % 10 != 9 else -1
        found.append(Signal(f'{split}/{CLASSES[label]}/{i:03}.npy', known, values))
    return [s._replace(values=s.values.astype(spec.dtype)) for s in found]


def signal_records(
    folder: Path,
    *,
    dtype: str = 'float16',
    channels: int = 3,
    segment_steps: int = 10,
    count: int = 120,
    most: int = 90,
) -> str:
    """Writes a data set of three splits, as finished as the job's own."""
    folder.mkdir(parents=True, exist_ok=True)
    spec = signal_spec(dtype=dtype, channels=channels)
    counts = {'train': count, 'validation': count // 3, 'test': count // 3}
    splits = {name: signals(spec, n, most=most, split=name) for name, n in counts.items()}
    labels = {
        k: Counter('' if s.label < 0 else CLASSES[s.label] for s in v) for k, v in splits.items()
    }
    bounds = {
        k: Counter(str(1 << (len(s.values) - 1).bit_length()) for s in v) for k, v in splits.items()
    }
    described = {
        'counts': {
            'splits': counts,
            'classes': {k: dict(v) for k, v in labels.items()},
            'steps': {k: sum(len(s.values) for s in v) for k, v in splits.items()},
            'rejected': 0,
        },
        'lengths': {k: dict(v) for k, v in bounds.items()},
    }
    info = records.RecordsInfo(
        spec=spec,
        segment_steps=segment_steps,
        auxiliary_steps=AUXILIARY_STEPS,
        anchors_per_sequence=1,
        anchor_sets=SETS,
        seed=0,
        class_names=CLASSES,
        shards={k: [_shard(folder, k, v, segment_steps)] for k, v in splits.items()},
        **described,
        files={records.STATS_NAME: _stats(folder, spec, splits, described)},
    )
    info = records.RecordsInfo(**vars(info) | {'sha256': info.content_sha256()})
    (folder / records.FILE_NAME).write_text(info.to_json())
    return str(folder)


def _stats(
    folder: Path, spec: SequenceSpec, splits: dict[str, list[Signal]], described: dict
) -> str:
    """Writes stats.json as the job does; its sha256."""
    # As they lie in the shards: sums of floats depend on the order.
    values = {k: [row.values for _, row in _hashed(v)] for k, v in splits.items()}
    sums = {k: add_up(sums_of(v), spec.channels).to_json() for k, v in values.items()}
    tenths = {kind: np.zeros(10, np.int64) for kind in 'rp'}
    for id_hash, row in (pair for v in splits.values() for pair in _hashed(v)):
        drawn = _anchors(id_hash, row)
        for kind, found in (('r', drawn.r_anchors), ('p', drawn.p_anchors)):
            tenth = np.minimum(found.reshape(-1).astype(np.int64) * 10 // len(row.values), 9)
            tenths[kind] += np.bincount(tenth, minlength=10)
    stats = {
        **described,
        'rejected': {},
        'values': sums,
        'anchors_by_tenth_of_the_sequence': {k: v.tolist() for k, v in tenths.items()},
    }
    if spec.dtype == 'uint8':
        stats['entropy'] = {k: entropies_of(histogram_of(v, 256)) for k, v in values.items()}
    text = json.dumps(stats)
    (folder / records.STATS_NAME).write_text(text)
    return hashlib.sha256(text.encode()).hexdigest()


def _hashed(rows: list[Signal]) -> list[tuple[int, Signal]]:
    """In the order of a shard."""
    return sorted(((anchors.id_hash(row.id), row) for row in rows), key=lambda pair: pair[0])


def _anchors(id_hash: int, row: Signal) -> anchors.AnchorSets:
    lengths = np.array([len(row.values)])
    return anchors.sample_anchors(
        seed=0,
        sets=range(SETS),
        id_hashes=np.array([id_hash], np.uint64),
        lengths=lengths,
        auxiliary_steps=anchors.auxiliary_length(lengths, AUXILIARY_STEPS, fixed_length=False),
        anchors_per_sequence=1,
    )


def _shard(folder: Path, split: str, rows: list[Signal], segment_steps: int) -> dict:
    name = records.shard_name(split, 0, 1)
    data, index = b'', []
    for id_hash, row in _hashed(rows):
        (record,) = serialize_examples(
            ids=[row.id],
            labels=[row.label],
            values=[row.values],
            anchors=_anchors(id_hash, row),
            segment_steps=segment_steps,
        )
        count = segments.segment_count(len(row.values), segment_steps)
        index.append((len(data), len(record), count, len(row.values), id_hash))
        data += frame(record)
    table = np.array(index, INDEX_DTYPE).tobytes()
    (folder / f'{name}.tfrecord').write_bytes(data)
    (folder / f'{name}.index').write_bytes(table)
    return {
        'name': name,
        'examples': len(rows),
        'bytes': len(data),
        'sha256': hashlib.sha256(data).hexdigest(),
        'index_sha256': hashlib.sha256(table).hexdigest(),
    }
