"""Labels as they stand in the source -> class names and numbers."""

from collections.abc import Iterable
from typing import NamedTuple

from pipelines.format.errors import LonghaulError


class Labels(NamedTuple):
    """`names`: class names by number; `numbers`: the number of each label in the source."""

    names: tuple[str, ...]
    numbers: dict[str, int]


def resolve(pairs: Iterable[tuple[str, str]], names: tuple[str, ...] | None) -> Labels:
    """Orders the classes: as named, else integers by value, else by name.

    Args:
      pairs: (split, label) pairs that occur, in any order.
      names: class names that the user gave; the labels are these, or integers that stand for them.

    Raises:
      LonghaulError: for labels that occur in test alone, or that have no name.
    """
    trained = {label for split, label in pairs if split != 'test'}
    untrained = {label for split, label in pairs if split == 'test'} - trained
    if untrained and trained:
        raise LonghaulError(
            f'labels that occur in the test split alone: {", ".join(sorted(untrained)[:10])}; no '
            'model can learn them: mend the labels or the split'
        )
    found = trained | untrained
    integers = all(label.isascii() and label.isdecimal() for label in found)
    if names is not None:
        return Labels(names, _numbers_of_named(found, names, integers))
    ordered = sorted(found, key=lambda label: (int(label), label)) if integers else sorted(found)
    return Labels(tuple(ordered), {label: number for number, label in enumerate(ordered)})


def _numbers_of_named(found: set[str], names: tuple[str, ...], integers: bool) -> dict[str, int]:
    by_name = {name: number for number, name in enumerate(names)}
    if found <= set(names):
        return by_name
    values = {int(label) for label in found} if integers else set()
    if integers and 0 in values and max(values) < len(names):
        return {label: int(label) for label in found}
    if integers and 0 not in values and max(values) == len(names):
        return {label: int(label) - 1 for label in found}
    unknown = sorted(found - set(names))[:10]
    raise LonghaulError(
        f'--class_names: {len(names)} names, but these labels are none of them: '
        f'{", ".join(unknown)}; labels must be names, or integers 0..{len(names) - 1}, or '
        f'1..{len(names)}'
    )
