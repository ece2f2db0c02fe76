"""A data set as one HTML file that needs nothing else: examples, classes, lengths, anchors."""

from pathlib import Path

from pipelines.format.errors import LonghaulError
from tools.flags import at_least
from tools.inspect import legend, marks, markup, overview, rejected, strip
from tools.inspect.drawings import DRAWINGS
from tools.inspect.stored import Records, Stored
from tools.inspect.style import STYLE

# Whatever the records say, the page loads nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write(found: Records, path: Path, *, examples: int, example_id: str | None = None) -> int:
    """Writes the page.

    Args:
      found: the records.
      path: of the file.
      examples: how many to show, evenly spaced in the index.
      example_id: to show alone; None: as many as `examples`.

    Returns:
      Its size in bytes.

    Raises:
      LonghaulError: if it cannot be written, or there is no such example.
    """
    at_least(1, examples=examples)
    shown = [found.find(example_id)] if example_id else found.spread(examples)
    try:
        return path.write_bytes(_page(found, shown).encode())
    except OSError as error:
        raise LonghaulError(f'--html={path}: {error.strerror}; name another file') from error


def _page(found: Records, shown: list[Stored]) -> str:
    sections = {
        'Splits': overview.splits(found),
        'Examples': _examples(found, shown),
        'Classes': overview.classes(found),
        'Lengths': overview.lengths(found),
        'Anchors': overview.anchors(found),
        'Rejected': rejected.section(found),
    }
    links = (f'<a href="#{name.lower()}">{name}</a>' for name in sections)
    body = (
        f'<section id="{name.lower()}"><h2>{name}</h2>{content}</section>'
        for name, content in sections.items()
    )
    return '\n'.join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{markup.text(found.name)} - records</title><style>{STYLE}</style></head>',
            f'<body><header>{overview.header(found)}<nav aria-label="Sections">{"".join(links)}'
            '</nav></header><main>',
            *body,
            f'</main>{overview.footer(found)}</body></html>',
            '',
        ]
    )


def _examples(found: Records, shown: list[Stored]) -> str:
    drawing = DRAWINGS[found.info.spec.kind]
    total, split = found.info.counts['splits'][shown[0].split], shown[0].split
    spread = ', evenly spaced in the index' if len(shown) > 1 else ''
    cards = []
    for example in shown:
        marked = marks.of(found, example)
        cards.append(
            f'<figure class="card"><figcaption><b>{markup.name(found.class_name(example))}</b> '
            f'{markup.name(example.id)}</figcaption>{drawing.draw(found, example, marked)}'
            f'{strip.draw(marked)}<div class="numbers">{strip.say(marked)}</div></figure>'
        )
    return (
        f'<p>{len(shown):,} of the {total:,} examples of {split}{spread}.</p>{legend.draw(found)}'
        f'<div class="cards" style="--least:{drawing.width(found.info.spec)}rem">'
        f'{"".join(cards)}</div>'
    )
