"""Marked blocks of documents, which commands write: no number inside of one is written by hand.

A block of the kind `results` stands between `<!-- results: NAME -->` and `<!-- end -->`.
"""

import re
from pathlib import Path

from pipelines.format.errors import LonghaulError

_END = '<!-- end -->'


def names_of(path: Path, kind: str) -> list[str]:
    """The names of a document's blocks, in their order.

    Raises:
      LonghaulError: for a block without an end.
    """
    text = path.read_text()
    found = [match[2] for match in _pattern(kind).finditer(text)]
    if text.count(f'<!-- {kind}: ') != len(found):
        raise LonghaulError(f'{path}: a block has no `{_END}`; add it behind the block')
    return found


def fill(path: Path, kind: str, contents: dict[str, str]) -> None:
    """Writes blocks of a document anew; the others, and what stands around them, stay.

    Args:
      path: of the document.
      kind: of the blocks.
      contents: lines by the name of a block.
    """

    def filled(match: re.Match[str]) -> str:
        """A block, with other lines if there are any."""
        content = contents.get(match[2])
        return match[0] if content is None else f'{match[1]}{content}\n{match[3]}'

    path.write_text(_pattern(kind).sub(filled, path.read_text()))


def _pattern(kind: str) -> re.Pattern[str]:
    """Of a block: its first line, its name, its last line; it begins no other block."""
    return re.compile(rf'(<!-- {kind}: ([^\n]*?) -->\n)(?:(?!<!-- \w+: ).)*?({_END})', re.DOTALL)
