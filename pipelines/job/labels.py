"""Labels of the source -> class names, and the number of each label."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipelines.format.errors import LonghaulError

# Longer numbers count as names: Python refuses to convert thousands of digits.
_INTEGER = re.compile('-?[0-9]{1,100}')
_WHOLE = re.compile(r'-?[0-9]{1,100}(\.0+)?')


class Labels(NamedTuple):
    """The classes.

    `names`: class names by number. `numbers`: the number of each label that is valid in the source.
    """

    names: tuple[str, ...]
    numbers: dict[str, int]


def resolve(pairs: Iterable[tuple[str, str]], names: tuple[str, ...] | None) -> Labels:
    """Finds the classes and their order.

    The order is that of `names`. Without names, it is by value if all labels are integers, else by
    name. '1.0' is the label '1', if all labels are whole numbers.

    With names, a label is one of them. If no label is, labels are integers that stand for the
    names: they count from 0 if label 0 occurs, from 1 if the number of names occurs. Other labels
    are not valid.

    Args:
      pairs: (split, label) pairs that occur, in any order.
      names: class names that the user gave, or None.

    Raises:
      LonghaulError: for labels that occur in test alone, or integers that could count from 0 or 1.
    """
    pairs = list(pairs)
    plain = _without_point({label for _, label in pairs}, names or ())
    trained = {plain[label] for split, label in pairs if split != 'test'}
    tested = {plain[label] for split, label in pairs if split == 'test'}
    if names is None:
        found = trained | tested
        integers = all(_INTEGER.fullmatch(label) for label in found)
        ordered = (
            sorted(found, key=lambda label: (int(label), label)) if integers else sorted(found)
        )
        labels = Labels(tuple(ordered), {label: number for number, label in enumerate(ordered)})
    else:
        labels = Labels(names, _numbers_of_named(trained | tested, names))
    untrained = (tested - trained) & labels.numbers.keys()
    if untrained and trained:
        raise LonghaulError(
            f'labels that occur in the test split alone: {_some(untrained)}; no model can learn '
            'them: mend the labels or the split (or raise --limit)'
        )
    numbers = labels.numbers
    asked = {label: numbers[whole] for label, whole in plain.items() if whole in numbers}
    return Labels(labels.names, numbers | asked)


def _without_point(found: set[str], names: tuple[str, ...]) -> dict[str, str]:
    """'1' for '1.0', which pandas writes where a label is missing, if all labels are numbers."""
    if found & set(names) or not all(_WHOLE.fullmatch(label) for label in found):
        return {label: label for label in found}
    return {label: label.partition('.')[0] for label in found}


def _numbers_of_named(found: set[str], names: tuple[str, ...]) -> dict[str, int]:
    if not found or found & set(names):
        return {name: number for number, name in enumerate(names)}
    count = len(names)
    from_zero, from_one = '0' in found, str(count) in found
    if from_zero != from_one:
        first = 0 if from_zero else 1
        return {str(number + first): number for number in range(count)}
    if from_zero or all(re.fullmatch('[0-9]+', label) for label in found):
        raise LonghaulError(
            f'--class_names: {count} names; the labels {_some(found)} could count from 0 or from '
            f'1: a label 0 or a label {count} (and not both) tells. Put the names themselves into '
            'the table'
        )
    raise LonghaulError(
        f'--class_names: none of the {count} names occurs as a label; found: {_some(found)}. '
        f'Labels are names, or integers 0..{count - 1} or 1..{count}'
    )


def _some(labels: set[str]) -> str:
    shown = sorted(labels)[:10]
    return ', '.join(shown) + (f' and {len(labels) - 10} more' if len(labels) > 10 else '')
