"""Results as Markdown, and into the marked blocks of a document.

A block stands between `<!-- benchmark: NAME -->` and `<!-- end -->`; NAME is one of the parts
`machine`, `speed`, `workers`, `memory`. No number inside of a block is written by hand.
"""

import re
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError

_BLOCK = re.compile(r'(<!-- benchmark: (\w+) -->\n)(?:(?!<!-- ).)*?(<!-- end -->)', re.DOTALL)
_SPEED = (
    '| input | items | MB | job, items/s | job, MB/s | plain, items/s | plain, MB/s | job / plain '
    '| pairs | whole processes |\n| --- ' + '| ---: ' * 7 + '| --- | --- |'
)
_WORKERS = (
    '| input | items | MB | one process, s | two workers, s | one / two |\n| --- '
    + '| ---: ' * 5
    + '|'
)
_MEMORY = (
    '| input | items | peak, MB | peak of a quarter, MB | bytes an item adds | seconds |\n| --- '
    + '| ---: ' * 5
    + '|'
)


def speed(rows: list[dict[str, Any]]) -> str:
    """Items and megabytes of input a second, without imports, and the ratios of whole processes."""
    lines = [_SPEED]
    for row in rows:
        job, plain = row['job'], row['plain']
        cells = (
            row['name'],
            f'{row["count"]:,}',
            f'{row["input_bytes"] / 1e6:,.1f}',
            f'{job["records_per_second"]:,.0f}',
            f'{job["megabytes_per_second"]:.1f}',
            f'{plain["records_per_second"]:,.0f}',
            f'{plain["megabytes_per_second"]:.1f}',
            f'{row["work_ratio"]:.2f}',
            _spread(row['work_ratios']),
            f'{row["whole_ratio"]:.2f} ({_spread(row["whole_ratios"])})',
        )
        lines.append(f'| {" | ".join(cells)} |')
    imports = [(row['job']['imports'], row['plain']['imports']) for row in rows]
    job, plain = (sum(values) / len(imports) for values in zip(*imports, strict=True))
    lines.append(f'\nImports take the job {job:.1f} s and the plain loop {plain:.1f} s.')
    return '\n'.join(lines)


def _spread(ratios: list[float]) -> str:
    return f'{min(ratios):.2f} to {max(ratios):.2f}'


def workers(found: dict[str, Any]) -> str:
    """Seconds of whole processes, and the size from which two workers are faster."""
    lines = [_WORKERS]
    for row in found['rows']:
        cells = (
            found['name'],
            f'{row["count"]:,}',
            f'{row["input_bytes"] / 1e6:,.1f}',
            f'{row["one"]:.1f}',
            f'{row["two"]:.1f}',
            f'{row["ratio"]:.2f}',
        )
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join([*lines, '', _verdict(found)])


def _verdict(found: dict[str, Any]) -> str:
    items = found['pays_from']
    if items is None:
        return 'An item takes two workers no less time here: they pay at no size.'
    last = found['rows'][-1]
    size = items * last['input_bytes'] / last['count'] / 1e6
    return f'Two workers are faster from about {items:,.0f} items ({size:,.0f} MB) on.'


def memory(rows: list[dict[str, Any]]) -> str:
    """Peaks of the job's process."""
    lines = [_MEMORY]
    for row in rows:
        cells = (
            row['name'],
            f'{row["count"]:,}',
            f'{row["peak_bytes"] / 1e6:,.0f}',
            f'{row["quarter_peak_bytes"] / 1e6:,.0f}',
            f'{row["bytes_per_item"]:,.0f}',
            f'{row["seconds"]:.0f}',
        )
        lines.append(f'| {" | ".join(cells)} |')
    return '\n'.join(lines)


def fill(path: Path, blocks: dict[str, str]) -> None:
    """Writes blocks of a document anew; those that were not measured stay.

    Raises:
      LonghaulError: if the document lacks one of them.
    """
    try:
        text = path.read_text()
    except OSError as error:
        raise LonghaulError(f'--docs={path}: {error.strerror}; name a document') from error
    there = {match[2] for match in _BLOCK.finditer(text)}
    missing = sorted(set(blocks) - there)
    if missing:
        raise LonghaulError(
            f'--docs={path}: has no block <!-- benchmark: {missing[0]} --> with its <!-- end -->; '
            'add both lines'
        )
    path.write_text(
        _BLOCK.sub(lambda m: f'{m[1]}{blocks[m[2]]}\n{m[3]}' if m[2] in blocks else m[0], text)
    )
