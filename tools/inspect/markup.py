"""Pieces of HTML: text that stays text, and tables of bars."""

import html
import re
from collections.abc import Mapping, Sequence

# What would not be seen, would be changed by HTML, or would turn the text around it: control
# characters but for tab and newline, lone surrogates, and the controls of writing direction.
_UNSEEN = re.compile(
    '[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069'
    '\ud800-\udfff\ufeff\ufffe\uffff]'
)


def text(words: str) -> str:
    """Any text as HTML that shows it and does nothing else.

    What could not be seen becomes its code point between angle quotes.
    """
    seen = _UNSEEN.sub(lambda found: f'\u2039{ord(found[0]):02X}\u203a', words)
    return html.escape(seen)


def name(words: str) -> str:
    """A name within a line, isolated: one in Arabic must not turn its neighbours around."""
    return f'<bdi>{text(words)}</bdi>'


def megabytes(count: int) -> str:
    """A number of bytes, such as '0.9 MB'; in kB below a tenth of a megabyte."""
    return f'{count / 1e6:,.1f} MB' if count >= 1e5 else f'{max(1, round(count / 1e3))} kB'


def share(count: int, total: int) -> str:
    """A share in percent, such as '12.3 %'; '-' of nothing."""
    return f'{100 * count / total:.1f} %' if total else '-'


def bars(caption: str, rows: Sequence[str], columns: Mapping[str, Sequence[int]]) -> str:
    """A table: a row for each name, a column of bars for each series, longest = its largest count.

    Args:
      caption: of the table, for those who cannot see where it stands.
      rows: what each row counts; '' is said to be without a label.
      columns: by name, a count for each row.
    """
    heads = ''.join(f'<th scope="col">{text(column)}' for column in columns)
    totals = {column: (sum(counts), max(counts, default=0)) for column, counts in columns.items()}
    body = []
    for number, row in enumerate(rows):
        cells = (_bar(counts[number], *totals[column]) for column, counts in columns.items())
        body.append(f'<tr><th scope="row">{name(row or "(no label)")}{"".join(cells)}')
    return (
        f'<table class="bars"><caption class="unseen">{text(caption)}</caption>'
        f'<thead><tr><td>{heads}</thead><tbody>{"".join(body)}</tbody></table>'
    )


def _bar(count: int, total: int, largest: int) -> str:
    width = 100 * count / largest if largest else 0
    return (
        f'<td><div class="count"><span class="n">{count:,}</span> '
        f'<small>{share(count, total)}</small></div>'
        f'<div class="track"><div class="bar" style="width:{width:.2f}%"></div></div>'
    )
