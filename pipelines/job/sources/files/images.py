"""images:DIR_OR_ZIP - PNG, JPEG, GIF and BMP files, one folder per class; see `folders`."""

import dataclasses
from typing import ClassVar

from pipelines.job.sources.files.folders import ClassFolders, count


@dataclasses.dataclass(frozen=True)
class Images(ClassFolders):
    """Image files that the name of their folder labels."""

    prefix: ClassVar[str] = 'images'
    suffixes: ClassVar[tuple[str, ...]] = ('.png', '.jpg', '.jpeg', '.gif', '.bmp')
    nouns: ClassVar[str] = 'images'
    kind: str = 'image'
    channels: int = 3

    def estimated_items(self) -> int:
        """The number of files."""
        return sum(count(path) for path in {group.path for group in self.groups()})
