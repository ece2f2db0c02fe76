"""Counts what the records hold, and compares that with records.json and stats.json."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipelines.format import anchors
from pipelines.format.histograms import entropies_of, histogram_of, levels_of
from pipelines.format.records import RecordsInfo
from pipelines.format.values import Sums, add_up, sums_of
from tools.verify.example import Example

_TENTHS = 'anchors_by_tenth_of_the_sequence'


class Tally:
    """Counts examples as the job did, and remembers where each id is."""

    def __init__(self, info: RecordsInfo) -> None:
        self._info = info
        self._places: dict[int, str] = {}
        self._splits: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._unknown: Counter[str] = Counter()
        self._classes: dict[str, Counter[str]] = {}
        self._lengths: dict[str, Counter[str]] = {}
        self._tenths = {kind: np.zeros(10, np.int64) for kind in 'rp'}
        # By split and shard: the job adds examples of a shard, then shards.
        self._sums: dict[str, dict[str, Sums]] = {}
        self._histograms: dict[str, np.ndarray] = {}

    def count(self, split: str, example: Example, *, file: str, offset: int) -> str | None:
        """Adds an example; returns what is wrong if its id has been seen."""
        names = self._info.class_names
        known = 0 <= example.label < len(names)
        self._splits[split] += 1
        self._steps[split] += example.length
        self._classes.setdefault(split, Counter())[names[example.label] if known else ''] += 1
        bound = str(1 << (max(1, example.length) - 1).bit_length())
        self._lengths.setdefault(split, Counter())[bound] += 1
        for kind, tenths in self._tenths.items():
            found = example.anchors[f'{kind}_anchors'] * 10 // max(1, example.length)
            tenths += np.bincount(np.clip(found, 0, 9), minlength=10)
        if self._info.spec.vocabulary is not None and example.values is not None:
            self._unknown[split] += int((example.values == 0).sum())
        self._add_values(split, example, file)
        self._add_histogram(split, example)
        hashed = anchors.id_hash(example.id)
        if hashed in self._places:
            return f'id {example.id!r} is also in {self._places[hashed]}'
        self._places[hashed] = f'{file}, offset {offset}'
        return None

    def _add_values(self, split: str, example: Example, file: str) -> None:
        spec, values = self._info.spec, example.values
        # Values that are not finite are a fault of their own.
        if spec.tokens is None and values is not None and np.isfinite(values).all():
            shards = self._sums.setdefault(split, {})
            before = [shards[file]] if file in shards else []
            shards[file] = add_up([*before, *sums_of([values])], spec.channels)

    def _add_histogram(self, split: str, example: Example) -> None:
        levels, values = levels_of(self._info.spec), example.values
        # Ids beyond the vocabulary are a fault of their own.
        if levels is None or values is None or values.max() >= levels:
            return
        found = histogram_of([values], levels)
        self._histograms[split] = self._histograms.get(split, 0) + found

    def differences(self) -> Iterator[str]:
        """Says where records.json has other counts."""
        counts = self._info.counts
        for name, found in (('splits', self._splits), ('steps', self._steps)):
            yield from _differ(name, counts.get(name, {}), found)
        if self._info.spec.vocabulary is not None:
            said = counts.get('vocabulary', {}).get('unknown', {})
            yield from _differ('steps outside of the vocabulary', said, self._unknown)
        # The records do not say what a text was converted from, but how many texts there are.
        for split, said in counts.get('encodings', {}).items():
            texts = {'texts': sum(said.values())}
            yield from _differ(f'encodings of {split}', texts, {'texts': self._splits[split]})
        for split in counts.get('splits', {}):
            said = counts.get('classes', {}).get(split, {})
            yield from _differ(f'classes of {split}', said, self._classes.get(split, {}))
            said = self._info.lengths.get(split, {})
            yield from _differ(f'lengths of {split}', said, self._lengths.get(split, {}))

    def stats_differences(self, stats: dict[str, Any]) -> Iterator[str]:
        """Says where stats.json has other numbers, or other counts than records.json."""
        info = self._info
        if stats.get('counts') != info.counts:
            yield 'counts are not those of records.json'
        if stats.get('lengths') != info.lengths:
            yield 'lengths are not those of records.json'
        rejected = sum(stats.get('rejected', {}).values())
        if rejected != info.counts.get('rejected'):
            yield f'rejected: {rejected}, records.json says {info.counts.get("rejected")}'
        for kind, tenths in self._tenths.items():
            said = stats.get(_TENTHS, {}).get(kind)
            if said != tenths.tolist():
                yield f'{_TENTHS}, {kind}: {said}, {tenths.tolist()} are there'
        # Records of older versions have no such sums.
        for split, said in stats.get('values', {}).items():
            shards = self._sums.get(split, {})
            total = add_up((shards[file] for file in sorted(shards)), info.spec.channels)
            for name, value in total.to_json().items():
                if said.get(name) != value:
                    yield f'values of {split}: {name} {said.get(name)}, {value} is there'
        for split, said in stats.get('entropy', {}).items():
            found = entropies_of(self._histograms.get(split, np.zeros([1, 1], np.int64)))
            if said != found:
                yield f'entropy of {split}: {said}, {found} is there'


def _differ(name: str, said: dict[str, int], found: dict[str, int]) -> Iterator[str]:
    for key in dict.fromkeys([*said, *found]):
        if said.get(key, 0) != found.get(key, 0):
            yield f'{name}: {said.get(key, 0)} of {key!r}, {found.get(key, 0)} are there'
