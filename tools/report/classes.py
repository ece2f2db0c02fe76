"""How well each class is told from the others, counted from an evaluation's predictions."""

import dataclasses
from collections import Counter
from typing import Any

import numpy as np


@dataclasses.dataclass(frozen=True)
class ClassCount:
    """One class: how often it was `right`, `said` and `true`."""

    name: str
    right: int
    said: int
    true: int

    @property
    def precision(self) -> float | None:
        """The share of right ones among what was said; None if it was never said."""
        return self.right / self.said if self.said else None

    @property
    def recall(self) -> float | None:
        """The share of right ones among the true; None if the split has none of it."""
        return self.right / self.true if self.true else None


def labelled(predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The predictions for examples that have a label."""
    return [row for row in predictions if row['label'] is not None]


def count(rows: list[dict[str, Any]], class_names: tuple[str, ...]) -> list[ClassCount]:
    """Counts each class, in the order of the labels; `rows`: from `labelled`."""
    true, said = Counter(r['label'] for r in rows), Counter(r['predicted'] for r in rows)
    right = Counter(r['label'] for r in rows if r['label'] == r['predicted'])
    return [ClassCount(n, right[n], said[n], true[n]) for n in class_names]


def confusion(rows: list[dict[str, Any]], class_names: tuple[str, ...]) -> np.ndarray:
    """How often each class (row) was called each class (column), int64 [classes, classes]."""
    place = {name: i for i, name in enumerate(class_names)}
    matrix = np.zeros([len(place)] * 2, np.int64)
    for row in rows:
        matrix[place[row['label']], place[row['predicted']]] += 1
    return matrix


def confused_pairs(rows: list[dict[str, Any]], *, most: int) -> list[tuple[str, str, int]]:
    """The commonest mistakes: (label, class said, how often), the commonest first."""
    wrong = Counter((r['label'], r['predicted']) for r in rows if r['label'] != r['predicted'])
    ordered = sorted(wrong.items(), key=lambda item: (-item[1], item[0]))
    return [(label, said, times) for (label, said), times in ordered[:most]]


def worst_mistakes(rows: list[dict[str, Any]], *, most: int) -> list[dict[str, Any]]:
    """The mistakes that the model was surest of."""
    wrong = [row for row in rows if row['label'] != row['predicted']]
    return sorted(wrong, key=lambda row: (-row['probability'], row['id']))[:most]
