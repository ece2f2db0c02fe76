"""The frame of a page: its head, its links, its sections, and what is missing on it."""

from collections.abc import Sequence

from tools.inspect import markup
from tools.report.parts import Section
from tools.report.style import STYLE

# Whatever a run's folder says, the page loads nothing and runs nothing.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def frame(title: str, header: str, sections: Sequence[Section]) -> str:
    """A whole page.

    Args:
      title: of the window.
      header: HTML above the links.
      sections: those without content are said to be missing, and why.
    """
    shown = [section for section in sections if section.html]
    links = ''.join(f'<a href="#{s.anchor}">{markup.text(s.title)}</a>' for s in shown)
    body = [
        f'<section id="{s.anchor}"><h2>{markup.text(s.title)}</h2>{s.html}</section>' for s in shown
    ]
    return '\n'.join(
        [
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<title>{markup.text(title)}</title><style>{STYLE}</style></head>',
            f'<body><header>{header}<nav aria-label="Sections">{links}</nav></header><main>',
            *body,
            _missing([section for section in sections if not section.html]),
            '</main><footer>This page loads nothing from elsewhere and runs no script.</footer>'
            '</body></html>',
            '',
        ]
    )


def _missing(sections: Sequence[Section]) -> str:
    if not sections:
        return ''
    said = ''.join(
        f'<li><b>{markup.text(s.title)}</b>: {markup.text(s.why or "there is nothing to show")}.'
        for s in sections
    )
    return (
        f'<section id="missing"><h2>Not on this page</h2><ul class="missing">{said}</ul></section>'
    )
