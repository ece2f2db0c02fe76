"""texts:DIR_OR_ZIP - a document in each file, one folder per class; see `folders`.

A file in a class folder is a document, whatever its name. A file NAME.txt outside of class folders
is a document without a label. Documents are stored as UTF-8. A document that is empty, or not in an
encoding that it may be in, is rejected by name.
"""

import dataclasses
from typing import ClassVar

from pipelines.job.items import Payload, Rejected
from pipelines.job.sources.files.folders import ClassFolders, size
from pipelines.job.text_encoding import check_encoding, text_payload


@dataclasses.dataclass(frozen=True)
class Texts(ClassFolders):
    """Text files that the name of their folder labels.

    Attributes:
      encoding: of texts that are not UTF-8 and have no byte order mark; None: these are rejected.
    """

    encoding: str | None = None
    prefix: ClassVar[str] = 'texts'
    suffixes: ClassVar[tuple[str, ...]] = ('.txt',)
    nouns: ClassVar[str] = 'texts'
    kind: str = 'text'
    channels: int = 1

    def payload(self, data: bytes) -> Payload | Rejected:
        """The payload of a text: UTF-8 without a byte order mark."""
        return text_payload(data, self.encoding)

    def estimated_items(self) -> int:
        """A number by size: a document is taken to have 300 bytes."""
        sizes = (size(g.path, (item.place for item in self.items(g))) for g in self.groups())
        return sum(sizes) // 300 + 1


def make_texts(path: str, *, encoding: str | None = None) -> Texts:
    """Makes the source; refuses an --encoding that Python does not know."""
    return Texts(path, check_encoding(encoding))
