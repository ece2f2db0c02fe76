"""images:DIR_OR_ZIP - one folder per class, PNG, JPEG, GIF or BMP, in a folder or a zip.

A folder may hold train/, validation/ and test/ (or train.zip and so on): these are then the
source's splits.
"""

import dataclasses
from typing import ClassVar

from pipelines.job.sources.files.folders import ClassFolders


@dataclasses.dataclass(frozen=True)
class Images(ClassFolders):
    """Image files, labelled by the name of their folder."""

    prefix: ClassVar[str] = 'images'
    suffixes: ClassVar[tuple[str, ...]] = ('.png', '.jpg', '.jpeg', '.gif', '.bmp')
    nouns: ClassVar[str] = 'images'
    kind: str = 'image'
    channels: int = 3

    def estimated_items(self) -> int:
        """The number of files."""
        return self.count()
