"""What there is, to be held against the counts of records.json."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from pipelines.format import anchors
from pipelines.format.records import RecordsInfo
from tools.verify.example import Example


class Tally:
    """Counts examples as the job did, and remembers where each id is."""

    def __init__(self, info: RecordsInfo) -> None:
        self._info = info
        self._places: dict[int, str] = {}
        self._splits: Counter[str] = Counter()
        self._steps: Counter[str] = Counter()
        self._classes: dict[str, Counter[str]] = {}
        self._lengths: dict[str, Counter[str]] = {}

    def count(self, split: str, example: Example, *, place: str) -> str | None:
        """Adds an example; returns what is wrong if its id has been seen."""
        names = self._info.class_names
        known = 0 <= example.label < len(names)
        self._splits[split] += 1
        self._steps[split] += example.length
        self._classes.setdefault(split, Counter())[names[example.label] if known else ''] += 1
        bound = str(1 << (max(1, example.length) - 1).bit_length())
        self._lengths.setdefault(split, Counter())[bound] += 1
        hashed = anchors.id_hash(example.id)
        if hashed in self._places:
            return f'id {example.id!r} is also in {self._places[hashed]}'
        self._places[hashed] = place
        return None

    def differences(self) -> Iterator[str]:
        """What records.json says otherwise."""
        counts = self._info.counts
        found: dict[str, Any] = {
            'splits': dict(self._splits),
            'steps': dict(self._steps),
        }
        for name, values in found.items():
            yield from _differ(name, counts.get(name, {}), values)
        # What a text was converted from is not in the records; how many there are is.
        for split, said in counts.get('encodings', {}).items():
            texts = {'texts': sum(said.values())}
            yield from _differ(f'encodings of {split}', texts, {'texts': self._splits[split]})
        for split in counts.get('splits', {}):
            said = counts.get('classes', {}).get(split, {})
            yield from _differ(f'classes of {split}', said, self._classes.get(split, {}))
            said = self._info.lengths.get(split, {})
            yield from _differ(f'lengths of {split}', said, self._lengths.get(split, {}))


def _differ(name: str, said: dict[str, int], found: dict[str, int]) -> Iterator[str]:
    for key in dict.fromkeys([*said, *found]):
        if said.get(key, 0) != found.get(key, 0):
            yield f'{name}: {said.get(key, 0)} of {key!r}, {found.get(key, 0)} are there'
