"""Parts of a page: sections, tables, facts, and what is said where a part is missing."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence

import tensorflow as tf

from pipelines.format.errors import LonghaulError, first_line
from tools.inspect import markup


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of a page. `html` is its content; '' where it is missing, and `why` says why."""

    title: str
    html: str
    why: str = ''

    @property
    def anchor(self) -> str:
        """Its name within the page."""
        return re.sub(r'\W+', '-', self.title.lower())


def section(title: str, draw: Callable[[], str]) -> Section:
    """A section as `draw` makes it; what it refuses is the reason why there is none."""
    try:
        return Section(title, draw())
    except (LonghaulError, tf.errors.OpError, OSError) as error:
        return Section(title, '', first_line(error))


def facts(values: dict[str, str], *, kind: str = 'figures') -> str:
    """Values by name, HTML each: as tiles ('figures') or as a list ('options')."""
    items = (f'<div><dt>{markup.text(k)}</dt><dd>{v}</dd></div>' for k, v in values.items())
    return f'<dl class="{kind}">{"".join(items)}</dl>'


def table(
    caption: str, head: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1
) -> str:
    """A table that can be moved sideways where the page is narrow.

    Args:
      caption: for those who cannot see where it stands.
      head: names of the columns.
      rows: HTML of the cells; the first one names the row.
      left: how many columns hold words; those behind them hold numbers.
    """
    kinds = ['' if i < left else ' class="n"' for i in range(len(head))]
    heads = ''.join(
        f'<th scope="col"{k}>{markup.text(n)}' for n, k in zip(head, kinds, strict=True)
    )
    body = []
    for first, *cells in rows:
        columns = ''.join(f'<td{k}>{c}' for c, k in zip(cells, kinds[1:], strict=True))
        body.append(f'<tr><th scope="row">{first}{columns}')
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{markup.text(caption)}">'
        f'<table><caption class="unseen">{markup.text(caption)}</caption><thead><tr>{heads}</thead>'
        f'<tbody>{"".join(body)}</tbody></table></div>'
    )


def folded(summary: str, content: str, *, anchor: str = '') -> str:
    """Content that a click opens; `summary` is HTML."""
    name = f' id="{anchor}"' if anchor else ''
    return f'<details{name}><summary>{summary}</summary>{content}</details>'


def percent(value: float | None, digits: int = 2) -> str:
    """A share in percent; '-' for None."""
    return '-' if value is None else f'{value:.{digits}%}'
