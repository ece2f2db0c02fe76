"""texts:DIR_OR_ZIP - one folder per class, a document a file, in a folder or a zip.

A folder may hold train/ and test/ (or train.zip and test.zip): these are then the source's splits.
Every file of a class folder is a document whatever its name, as in images: (only what desktops
leave behind is passed over), and its bytes are its steps. Outside of class folders, files NAME.txt
are documents without a label. What is empty or no UTF-8 is rejected by name.
"""

import dataclasses
from typing import ClassVar

from pipelines.job.items import Payload, Rejected
from pipelines.job.sources.folders import ClassFolders
from pipelines.job.sources.utf8 import text_payload

_BOM = b'\xef\xbb\xbf'


@dataclasses.dataclass(frozen=True)
class Texts(ClassFolders):
    """Text files, labelled by the name of their folder."""

    prefix: ClassVar[str] = 'texts'
    suffixes: ClassVar[tuple[str, ...]] = ('.txt',)
    nouns: ClassVar[str] = 'texts'
    kind: str = 'text'
    channels: int = 1

    def payload(self, data: bytes) -> Payload | Rejected:
        """The text without the byte order mark that some editors put before it."""
        return text_payload(data.removeprefix(_BOM))

    def estimated_items(self) -> int:
        """By size, in documents of the usual three hundred bytes."""
        return sum(self.sizes()) // 300 + 1
