"""What the page says of a data set as a whole: its header, splits, classes, lengths, anchors."""

from collections.abc import Mapping

from tools.inspect import markup
from tools.inspect.drawings import DRAWINGS
from tools.inspect.stored import Records

_MOST_CLASSES = 40


def header(found: Records) -> str:
    """Name, kind, the figures that matter, and the options of the job."""
    info = found.info
    counts = info.counts
    steps = sum(counts['steps'].values())
    figures = {
        'examples': f'{sum(counts["splits"].values()):,}',
        'classes': f'{len(info.class_names):,}',
        'steps each' if info.spec.fixed_length else 'steps on average': f'{_average(found):,.0f}',
        'steps in all': f'{steps:,}',
        'on disk': markup.megabytes(sum(s['bytes'] for v in info.shards.values() for s in v)),
        'rejected': f'{counts["rejected"]:,}',
    }
    tiles = (f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in figures.items())
    return (
        f'<h1>{markup.name(found.name)}</h1><p class="lead">'
        f'{DRAWINGS[info.spec.kind].describe(info)}; {info.spec.channels} \u00d7 '
        f'{info.spec.dtype} a step</p><dl class="figures">{"".join(tiles)}</dl>{_options(found)}'
    )


def _average(found: Records) -> float:
    counts = found.info.counts
    return sum(counts['steps'].values()) / max(1, sum(counts['splits'].values()))


def _options(found: Records) -> str:
    info = found.info
    said = {
        'segment_steps': f'{info.segment_steps:,}',
        'auxiliary_steps, L': f'{info.auxiliary_steps:,}',
        'anchors_per_sequence, K': f'{info.anchors_per_sequence:,}',
        'anchor_sets, E': f'{info.anchor_sets:,}',
        'seed': str(info.seed),
    }
    if info.spec.permutation_seed is not None:
        said['permutation_seed'] = str(info.spec.permutation_seed)
    if info.spec.vocabulary is not None:
        said['vocabulary'] = f'{len(info.spec.vocabulary):,} characters'
    pairs = (f'<div><dt>{name}</dt><dd>{value}</dd></div>' for name, value in said.items())
    return f'<dl class="options">{"".join(pairs)}</dl>'


def splits(found: Records) -> str:
    """A table with a row for each split."""
    info = found.info
    counts, total = info.counts, sum(info.counts['splits'].values())
    unknown = counts.get('vocabulary', {}).get('unknown')
    heads = ['Examples', 'Share', 'Steps', 'Size', 'Shards'] + ['Unknown'] * (unknown is not None)
    rows = []
    for split in found.readers:
        shards = info.shards[split]
        examples, steps = counts['splits'][split], counts['steps'][split]
        size = markup.megabytes(sum(s['bytes'] for s in shards))
        cells = [
            f'{examples:,}',
            markup.share(examples, total),
            f'{steps:,}',
            size,
            f'{len(shards)}',
        ]
        if unknown is not None:
            cells.append(markup.share(unknown[split], steps))
        columns = ''.join(f'<td class="n">{cell}' for cell in cells)
        rows.append(f'<tr><th scope="row">{split}{columns}')
    head = ''.join(f'<th scope="col" class="n">{name}' for name in heads)
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Table of the splits">'
        '<table class="splits"><caption class="unseen">Splits</caption>'
        f'<thead><tr><td>{head}</thead><tbody>{"".join(rows)}</tbody></table></div>'
    )


def classes(found: Records) -> str:
    """Examples of each class by split; the largest classes of many."""
    by_split = _filled(found, found.info.counts['classes'])
    if not by_split:
        return '<p>No example has a label.</p>'
    names = list(dict.fromkeys(name for counts in by_split.values() for name in counts))
    total = {name: sum(counts.get(name, 0) for counts in by_split.values()) for name in names}
    note = ''
    if len(names) > _MOST_CLASSES:
        names.sort(key=lambda name: -total[name])
        rest, names = names[_MOST_CLASSES:], names[:_MOST_CLASSES]
        sizes = sorted(total[name] for name in rest)
        note = (
            f'<p>The largest {_MOST_CLASSES} classes; {len(rest):,} more have {sizes[0]:,} to '
            f'{sizes[-1]:,} examples each.</p>'
        )
    columns = {s: [c.get(n, 0) for n in names] for s, c in by_split.items()}
    return note + markup.bars('Examples of each class, by split', names, columns)


def lengths(found: Records) -> str:
    """Histogram of the lengths by split."""
    fixed = found.info.spec.fixed_length
    if fixed:
        return f'<p>Every sequence has {fixed:,} steps.</p>'
    by_split = _filled(found, found.info.lengths)
    bounds = [int(bound) for counts in by_split.values() for bound in counts]
    bins, bound = [], min(bounds)
    while bound <= max(bounds):
        bins.append(bound)
        bound *= 2
    columns = {s: [c.get(str(b), 0) for b in bins] for s, c in by_split.items()}
    rows = [f'{b // 2 + 1:,}\u2013{b:,}' if b > 2 else str(b) for b in bins]
    return markup.bars('Examples by number of steps, by split', rows, columns)


def anchors(found: Records) -> str:
    """Table of where the stored anchors lie, all sets together."""
    tenths = found.stats.get('anchors_by_tenth_of_the_sequence')
    if not tenths:
        return '<p>The folder has no stats.json, which would say.</p>'
    rows = [f'{10 * i}\u2013{10 * i + 10} %' for i in range(10)]
    columns = {'r anchors': tenths['r'], 'p anchors': tenths['p']}
    return markup.bars('Stored anchors by tenth of the sequence', rows, columns)


def footer(found: Records) -> str:
    """Says which versions wrote the records."""
    versions = ', '.join(f'{k} {v}' for k, v in found.info.versions.items())
    return (
        f'<footer>Record format {found.info.format_version}, written with {markup.text(versions)}. '
        'This page loads nothing from elsewhere and runs no script.</footer>'
    )


def _filled(
    found: Records, by_split: Mapping[str, Mapping[str, int]]
) -> dict[str, Mapping[str, int]]:
    """Leaves out splits without examples; train comes first."""
    return {s: by_split[s] for s in found.readers if sum(by_split[s].values())}
