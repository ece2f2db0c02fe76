"""Text of others, such as names of classes, inside of Markdown."""

import html
import re

from pipelines.format.errors import printable


def plain(text: str) -> str:
    """The text on one line, so that Markdown shows it as it is: no markup, tags or columns."""
    return html.escape(re.sub(r'([\\`*\[\]|])', r'\\\1', printable(text)), quote=False)
