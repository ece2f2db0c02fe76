"""Brings the marked blocks of documents up to date with the lines of the results.

A block stands between `<!-- results: KIND [NAME [RECORDS...]] -->` and `<!-- end -->`. Kinds:
`paper` (all gin files), and of the queue results/NAME.queue: `runs`, `means`, `sweep`, `epochs`,
`seconds`, `plot`, `times`, `truncations`. Names of records leave out the runs on all others. What
stands around the blocks is written by hand; no number inside of them is.
"""

from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from tools import blocks
from tools.reproduce import lines, paper, paper_table, plot, sweep, tables
from tools.reproduce.queue import Entry, read_queue

_BLOCKS = 'results'
_OF_A_QUEUE = ('runs', 'means', 'sweep', 'epochs', 'seconds', 'plot', 'truncations', 'times')
# Suffix of the picture's name, what draws it, and what it shows.
_PICTURES = {
    'plot': ('', plot.draw, 'validation accuracy of {}'),
    'truncations': (
        '_truncations',
        plot.draw_truncations,
        'test accuracy of {} over the truncation',
    ),
    'times': ('_times', plot.draw_over_time, 'validation accuracy of {} over wall time'),
}
_KINDS = ', '.join(['paper', *(f'{kind} NAME' for kind in _OF_A_QUEUE)])


def report(*, results: Path, docs: Path, gin: Path = Path('gin')) -> list[Path]:
    """Writes the documents that have blocks anew.

    Args:
      results: folder of queues and their lines.
      docs: folder of documents, for pictures too.
      gin: folder of the experiments.

    Returns:
      What it wrote.

    Raises:
      LonghaulError: for a block of an unknown kind, or of a queue or records that there are not.
    """
    written = []
    for path in sorted(docs.glob('*.md')):
        contents = {}
        for block in blocks.names_of(path, _BLOCKS):
            kind, _, names = block.partition(' ')
            try:
                contents[block] = _content(kind, names, results=results, docs=docs, gin=gin)
            except LonghaulError as error:
                raise LonghaulError(f'{path}, block {block!r}: {error}') from error
        if contents:
            blocks.fill(path, _BLOCKS, contents)
            written.append(path)
    return written


def _content(kind: str, names: str, *, results: Path, docs: Path, gin: Path) -> str:
    if kind == 'paper':
        found: list[dict[str, Any]] = []
        for path in sorted(results.glob('*.jsonl')):
            found += lines.read(path)
        return paper_table.paper_table(paper.read_experiments(gin), found)
    if kind not in _OF_A_QUEUE:
        raise LonghaulError(f'{kind}: one of {_KINDS} is needed')
    name, *only = names.split()
    found = lines.read(results / f'{name}.jsonl')
    entries = read_queue(results / f'{name}.queue')
    if only:
        _check_records(only, entries, found, name)
        found = [line for line in found if line.get('records') in only]
        found.sort(key=lambda line: only.index(line['records']))
    if kind == 'runs':
        return tables.runs_table(entries, found)
    if kind == 'means':
        return tables.means_table(found)
    if kind == 'sweep':
        return sweep.sweep_table(found)
    if kind in _PICTURES:
        suffix, draw, about = _PICTURES[kind]
        picture = docs / f'results_{name}{suffix}.png'
        draw(found, picture)
        return f'![{about.format(name)}]({picture.name})'
    return tables.budget_table(found, kind)


def _check_records(
    only: list[str], entries: list[Entry], found: list[dict[str, Any]], name: str
) -> None:
    """Refuses names of records that no run of the queue is about, done or not."""
    known = {entry.records for entry in entries} | {line.get('records') for line in found}
    for one in only:
        if one not in known:
            names = ', '.join(sorted(str(k) for k in known if k))
            raise LonghaulError(f'{one}: no run of {name}.queue is about it; name some of {names}')
