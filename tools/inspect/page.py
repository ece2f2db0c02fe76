"""A data set as one HTML file that needs nothing else: examples, class balance, lengths."""

import base64
import html
from pathlib import Path

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.texts import text_of
from tools.inspect import pictures
from tools.inspect.stored import Records, Stored

_SIDE, _CHARACTERS, _MOST_BARS = 160, 1500, 40
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }
h1, h2 { font-weight: 600 } table { border-collapse: collapse } td { padding: .1rem .8rem .1rem 0 }
figure { display: inline-block; margin: 0 1rem 1rem 0; vertical-align: top; width: 164px }
figure img { image-rendering: pixelated; width: 160px; height: 160px; border: 1px solid #ccc }
figcaption { font-size: 12px; overflow-wrap: anywhere }
.document { border: 1px solid #ccc; margin: 0 0 1rem; padding: .5rem .8rem; font-size: 13px }
.document p { font-family: ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere }
.s0 { background: #ffe9cf } .s1 { background: #d3e8ff } .stretch { border-bottom: 3px solid #3c6 }
.r { outline: 2px solid #e22 } .p { outline: 2px solid #c3f }
.bar { background: #59c; height: 11px }
.key span { padding: 0 .4rem; margin-right: .8rem }
"""
_KEY = (
    '<p class="key"><span class="s0">segment</span><span class="s1">next segment</span>'
    '<span class="stretch">to be reconstructed</span><span class="r">its anchor</span>'
    '<span class="p">anchor of prediction</span> of the first set of anchors</p>'
)


def write(found: Records, path: Path, *, examples: int, example_id: str | None = None) -> None:
    """Writes the page.

    Args:
      found: the records.
      path: of the file.
      examples: how many to show, evenly spaced in the index.
      example_id: to show alone; None: as many as `examples`.

    Raises:
      LonghaulError: if it cannot be written, or there is no such example.
    """
    if examples < 1:
        raise LonghaulError(f'--examples={examples}: at least 1 is needed')
    shown = [found.find(example_id)] if example_id else found.spread(examples)
    draw = _figure if found.info.spec.kind == 'image' else _document
    title = html.escape(Path(found.folder).name)
    body = [
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>',
        f'<style>{_STYLE}</style><h1>{title}</h1>',
        _facts(found),
        f'<h2>Examples of {shown[0].split}</h2>{_KEY}',
        *(draw(found, example) for example in shown),
        '<h2>Classes</h2>',
        *(_bars(split, counts) for split, counts in found.info.counts['classes'].items()),
        '<h2>Lengths</h2><p>Steps, no more than</p>',
        *(_bars(split, counts) for split, counts in found.info.lengths.items()),
    ]
    try:
        path.write_text('\n'.join(body) + '\n', encoding='utf-8')
    except OSError as error:
        raise LonghaulError(f'--html={path}: {error.strerror}; name another file') from error


def _facts(found: Records) -> str:
    info, spec = found.info, found.info.spec
    length = f'{spec.fixed_length:,}' if spec.fixed_length else 'of different length'
    facts = {
        'kind': f'{spec.kind}, {spec.channels} x {spec.dtype} a step',
        'steps': length,
        'segments': f'{info.segment_steps} steps',
        'anchors': f'{info.anchor_sets} sets of {info.anchors_per_sequence}, L = '
        f'{info.auxiliary_steps}, seed {info.seed}',
        'examples': ', '.join(f'{k} {v:,}' for k, v in info.counts['splits'].items()),
        'rejected': f'{info.counts["rejected"]:,}',
    }
    rows = (f'<tr><td>{k}<td>{html.escape(v)}' for k, v in facts.items())
    return f'<table>{"".join(rows)}</table>'


def _caption(found: Records, example: Stored) -> str:
    return f'<b>{html.escape(found.class_name(example))}</b> {html.escape(example.id)}'


def _figure(found: Records, example: Stored) -> str:
    data = tf.io.encode_png(pictures.annotated(found, example)).numpy()
    source = base64.b64encode(data).decode()
    return (
        f'<figure><img alt="" src="data:image/png;base64,{source}">'
        f'<figcaption>{_caption(found, example)}</figcaption></figure>'
    )


def _document(found: Records, example: Stored) -> str:
    shown = example.values[:_CHARACTERS]
    starts = example.segment_starts(found.info.segment_steps)
    number = np.searchsorted(starts, np.arange(len(shown)), side='right')
    start = int(example.anchors['r_starts'][0, 0])
    stretch = range(start, start + found.auxiliary_steps(example))
    marks = {max(0, int(example.anchors[f'{x}_anchors'][0, 0]) - 1): x for x in 'pr'}
    kinds = [
        f's{number[t] % 2}' + (' stretch' if t in stretch else '') + f' {marks.get(t, "")}'.rstrip()
        for t in range(len(shown))
    ]
    # One element for each run of steps that look alike; a character of several bytes that a cut
    # divides shows as U+FFFD.
    cuts = [0] + [t for t in range(1, len(kinds)) if kinds[t] != kinds[t - 1]] + [len(kinds)]
    parts = (
        f'<span class="{kinds[a]}">{html.escape(text_of(shown[a:b], found.info.spec))}</span>'
        for a, b in zip(cuts, cuts[1:], strict=False)
    )
    more = f' ... ({example.steps:,} steps)' if example.steps > len(shown) else ''
    return f'<div class="document">{_caption(found, example)}<p>{"".join(parts)}{more}</p></div>'


def _bars(title: str, counts: dict[str, int]) -> str:
    """Horizontal bars, the largest counts of many."""
    largest = max(counts.values(), default=0) or 1
    shown = list(counts.items())
    if len(shown) > _MOST_BARS:
        shown = sorted(shown, key=lambda pair: -pair[1])[:_MOST_BARS]
    rows = (
        f'<tr><td>{html.escape(name) or "none"}<td>{count:,}'
        f'<td style="width:30rem"><div class="bar" style="width:{100 * count / largest:.1f}%">'
        '</div>'
        for name, count in shown
    )
    left = f'<p>and {len(counts) - len(shown)} more</p>' if len(counts) > len(shown) else ''
    return f'<h3>{title}</h3><table>{"".join(rows)}</table>{left}'
