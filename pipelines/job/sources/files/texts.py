"""texts:DIR_OR_ZIP - one folder per class, a document a file, in a folder or a zip.

A folder may hold train/, validation/ and test/ (or train.zip and so on): these are then the
source's splits.
Every file of a class folder is a document whatever its name, as in images: (only what desktops
leave behind is passed over), and its bytes are its steps, as UTF-8. Outside of class folders, files
NAME.txt are documents without a label. What is empty, or in no encoding that it may be in, is
rejected by name.
"""

import dataclasses
from typing import ClassVar

from pipelines.job.items import Payload, Rejected
from pipelines.job.sources.files.folders import ClassFolders
from pipelines.job.text_encoding import check_encoding, text_payload


@dataclasses.dataclass(frozen=True)
class Texts(ClassFolders):
    """Text files, labelled by the name of their folder.

    Attributes:
      encoding: of texts that are no UTF-8 and have no byte order mark; None: there are none.
    """

    encoding: str | None = None
    prefix: ClassVar[str] = 'texts'
    suffixes: ClassVar[tuple[str, ...]] = ('.txt',)
    nouns: ClassVar[str] = 'texts'
    kind: str = 'text'
    channels: int = 1

    def payload(self, data: bytes) -> Payload | Rejected:
        """The text as UTF-8, without a byte order mark."""
        return text_payload(data, self.encoding)

    def estimated_items(self) -> int:
        """By size, in documents of the usual three hundred bytes."""
        return sum(self.sizes()) // 300 + 1


def make_texts(path: str, *, encoding: str | None = None) -> Texts:
    """texts:DIR_OR_ZIP; refuses an --encoding that Python does not know."""
    return Texts(path, check_encoding(encoding))
