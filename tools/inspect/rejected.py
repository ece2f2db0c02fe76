"""Items that the job could not use: how many for which reason, and some of each."""

import posixpath

import tensorflow as tf

from tools import json_lines
from tools.inspect import markup
from tools.inspect.stored import Records

_EACH = 3


def section(found: Records) -> str:
    """Writes the section of the page."""
    total = found.info.counts['rejected']
    if not total:
        return '<p>None: every item of the source could be used.</p>'
    counts = found.stats.get('rejected', {})
    rows = [
        f'<tr><th scope="row">{markup.text(reason)}<td class="n">{counts.get(reason, 0):,}'
        f'<td><ul>{"".join(map(_item, lines))}</ul>'
        for reason, lines in sorted(some(found).items(), key=lambda pair: -counts.get(pair[0], 0))
    ]
    seen = total + sum(found.info.counts['splits'].values())
    return (
        f'<p>{total:,} of {seen:,} items ({markup.share(total, seen)}); all of them are in '
        '<code>rejected-*.jsonl</code>.</p><table class="rejected"><thead><tr>'
        '<th scope="col">Reason<th scope="col" class="n">Items<th scope="col">Some of them</thead>'
        f'<tbody>{"".join(rows)}</tbody></table>'
    )


def some(found: Records) -> dict[str, list[dict[str, str]]]:
    """Reads the first few items of each reason from the rejected-*.jsonl files."""
    reasons: dict[str, list[dict[str, str]]] = {}
    for path in sorted(n for n in found.info.files if n.startswith('rejected-')):
        with tf.io.gfile.GFile(posixpath.join(found.folder, path), 'rb') as file:
            for line in json_lines.parse(file):
                lines = reasons.setdefault(line['reason'], [])
                if len(lines) < _EACH:
                    lines.append(line)
    return reasons


def _item(line: dict[str, str]) -> str:
    detail = f' <small>{markup.text(line["detail"])}</small>' if line.get('detail') else ''
    return f'<li>{markup.name(line["id"])}{detail}'
