"""Finds the splits of a source in a folder: train, validation and test."""

import os

from pipelines.format.errors import LonghaulError
from pipelines.format.records import SPLITS
from pipelines.job.items import Group


def find_splits(source: str, folder: str, suffixes: tuple[str, ...]) -> list[Group]:
    """The files and folders SPLIT + suffix in a folder, train first.

    Args:
      source: the value of --source, for refusals.
      folder: the folder to look in.
      suffixes: suffixes that a split may have; '' for a folder.

    Raises:
      LonghaulError: if a split is there twice.
    """
    found = [
        Group(path, split)
        for split in SPLITS
        for suffix in suffixes
        if os.path.exists(path := os.path.join(folder, split + suffix))
    ]
    splits = [group.split for group in found]
    if len(set(splits)) < len(splits):
        names = ', '.join(os.path.basename(group.path) for group in found)
        raise LonghaulError(
            f'--source={source}: holds {names}, one split more than once; keep one of each'
        )
    return found
