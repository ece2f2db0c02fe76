"""The last step of the job: adds up the shards, and writes stats.json and then records.json."""

import dataclasses
import importlib.metadata
import json
import posixpath
from collections import Counter
from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.histograms import entropies_of, levels_of
from pipelines.format.records import FILE_NAME, STATS_NAME, RecordsInfo
from pipelines.format.values import add_up
from pipelines.job import mark
from pipelines.job.plan import Plan
from pipelines.job.tally import histogram_from, sums_from
from pipelines.job.writing import write_text
from pipelines.options import JobOptions

# Options that say where and how to run. They must not change a byte of the output.
_NOT_CONTENT = (
    'output',
    'source',
    'overwrite',
    'class_names',
    'shards',
    'data_dir',
    'manual_dir',
)
# Options that are younger than the format. They are left out of records.json where they are not
# used.
_LATER = ('trailing_steps', 'trailing', 'labels', 'delimiter')
_DECIDING = ('tensorflow', 'numpy')


def finish(shards: list[dict[str, Any]], plan: Plan, class_names: tuple[str, ...]) -> str:
    """Writes the description and the statistics of the data set.

    Args:
      shards: results of `write_shard`, in any order.
      plan: of the job.
      class_names: the name of each class; the label is its place.

    Returns:
      Path of records.json.

    Raises:
      LonghaulError: if too many items were rejected, nothing is left to train on, or another job
        writes into the same folder.
    """
    shards = sorted(shards, key=lambda s: s['shard']['name'])
    rejected = _add(s['rejected'] for s in shards)
    examples = sum(s['shard']['examples'] for s in shards)
    _check_rejected(rejected, examples, plan)
    by_split = {split: [s for s in shards if s['split'] == split] for split in plan.splits}
    _check_train(by_split['train'], examples, plan)
    stats = _stats(by_split, rejected, plan, class_names)
    text = json.dumps(stats, indent=1, sort_keys=True, ensure_ascii=False) + '\n'
    files = {name: sha256 for s in shards for name, sha256 in s['files'].items()}
    options = plan.options
    mark.refuse_another(options.output, plan.job)
    files[STATS_NAME] = write_text(posixpath.join(options.output, STATS_NAME), text, job=plan.job)
    info = RecordsInfo(
        spec=plan.spec,
        segment_steps=options.segment_steps,
        auxiliary_steps=plan.auxiliary_steps,
        anchors_per_sequence=options.anchors_per_sequence,
        anchor_sets=options.anchor_sets,
        seed=options.seed,
        class_names=class_names,
        shards={k: [s['shard'] for s in v] for k, v in by_split.items()},
        counts=stats['counts'],
        lengths=stats['lengths'],
        options=_content(options),
        versions={name: importlib.metadata.version(name) for name in _DECIDING},
        files=files,
    )
    info = dataclasses.replace(info, sha256=info.content_sha256())
    path = posixpath.join(options.output, FILE_NAME)
    mark.remove_unfinished(options.output, plan.job)
    mark.refuse_another(options.output, plan.job)
    write_text(path, info.to_json(), job=plan.job)
    return path


def _content(options: JobOptions) -> dict[str, Any]:
    """The options that decide about the content of the records, by name."""
    said = {k: v for k, v in vars(options).items() if k not in _NOT_CONTENT}
    return {k: v for k, v in said.items() if v or k not in _LATER}


_BySplit = dict[str, list[dict[str, Any]]]


def _stats(
    by_split: _BySplit, rejected: dict[str, int], plan: Plan, class_names: tuple[str, ...]
) -> dict[str, Any]:
    """The content of stats.json. A table in docs/job.md explains its fields."""
    lengths = {k: _add(s['lengths'] for s in v) for k, v in by_split.items()}
    shards = [s for v in by_split.values() for s in v]
    stats = {
        'counts': _counts(by_split, plan, class_names) | {'rejected': sum(rejected.values())},
        'rejected': rejected,
        'lengths': {
            k: dict(sorted(v.items(), key=lambda p: int(p[0]))) for k, v in lengths.items()
        },
        'anchors_by_tenth_of_the_sequence': {
            kind: [sum(s['anchors'][kind][i] for s in shards) for i in range(10)] for kind in 'rp'
        },
    }
    if plan.spec.tokens is None:
        stats['values'] = {
            k: add_up(map(sums_from, v), plan.spec.channels).to_json() for k, v in by_split.items()
        }
    levels = levels_of(plan.spec)
    if levels is not None:
        shape = plan.spec.channels, levels
        stats['entropy'] = {k: _entropies(v, shape) for k, v in by_split.items()}
    return stats


def _entropies(shards: list[dict[str, Any]], shape: tuple[int, int]) -> list[float] | None:
    """The entropy of each channel in nats, from histograms of shape (channels, levels)."""
    total = np.zeros(shape, np.int64)
    for shard in shards:
        total += histogram_from(shard, shape[0])
    return entropies_of(total)


def _counts(by_split: _BySplit, plan: Plan, class_names: tuple[str, ...]) -> dict[str, Any]:
    counts: dict[str, Any] = {
        'splits': {k: sum(s['shard']['examples'] for s in v) for k, v in by_split.items()},
        'classes': {k: _by_class(v, class_names) for k, v in by_split.items()},
        'steps': {k: sum(s['steps'] for s in v) for k, v in by_split.items()},
    }
    if plan.spec.kind == 'text':
        counts['encodings'] = {k: _add(s['encodings'] for s in v) for k, v in by_split.items()}
    if plan.spec.vocabulary is not None:
        counts['vocabulary'] = {
            'characters': len(plan.spec.vocabulary),
            'unknown': {k: sum(s['unknown'] for s in v) for k, v in by_split.items()},
        }
    return counts


def _add(counts: Any) -> dict[str, int]:
    total: Counter[str] = Counter()
    for part in counts:
        total.update(part)
    return dict(sorted(total.items()))


def _by_class(shards: list[dict[str, Any]], class_names: tuple[str, ...]) -> dict[str, int]:
    total = _add(s['classes'] for s in shards)
    return {name: total.get(name, 0) for name in ([''] if total.get('') else []) + [*class_names]}


def _check_train(shards: list[dict[str, Any]], examples: int, plan: Plan) -> None:
    if not examples:
        raise LonghaulError(
            f'--source={plan.options.source}: no usable item; name a source that holds some'
        )
    if not sum(s['shard']['examples'] for s in shards):
        options = plan.options
        raise LonghaulError(
            f'--source={options.source}: {examples} usable items, and none of them is left to '
            f'train on with --validation_share={options.validation_share} and '
            f'--test_share={plan.test_share}; lower the shares, or name a source with more items'
        )


def _check_rejected(rejected: dict[str, int], examples: int, plan: Plan) -> None:
    bad = sum(rejected.values())
    allowed = plan.options.max_rejected_share
    if bad and bad > allowed * (bad + examples):
        reasons = '; '.join(f'{n} x {reason}' for reason, n in rejected.items())
        raise LonghaulError(
            f'{bad} of {bad + examples} items cannot be used ({reasons}), more than '
            f'--max_rejected_share={allowed}: see rejected-*.jsonl in {plan.options.output}, mend '
            'the items or raise the share'
        )
