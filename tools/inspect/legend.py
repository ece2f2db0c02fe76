"""What the marks mean."""

from tools.inspect.stored import Records


def draw(found: Records) -> str:
    """The legend of the examples."""
    info = found.info
    some = 'the' if info.spec.fixed_length else 'up to'
    stretch = f'{some} {info.auxiliary_steps:,} steps to be'
    entries = (
        (
            '<i class="swatch s0"></i><i class="swatch s1"></i>',
            'Segments',
            f'as they are stored: {info.segment_steps:,} steps, cut from the end, so that the '
            'first one is the short one',
        ),
        (
            '<b class="tag r">r</b><i class="dot"></i>',
            'r anchor',
            'so many steps have been read; from the state there the decoder reconstructs',
        ),
        (
            '<i class="swatch r-stretch"></i>',
            'Subsequence',
            f'{stretch} reconstructed; the first one, the <em>start</em>, is given',
        ),
        (
            '<b class="tag p">p</b><i class="diamond"></i>',
            'p anchor',
            'so many steps have been read; from here on the next ones are predicted',
        ),
        (
            '<i class="swatch p-stretch"></i>',
            'Prediction',
            f'{stretch} predicted',
        ),
    )
    items = (f'<div><dt>{key} {name}</dt><dd>{said}</dd></div>' for key, name, said in entries)
    sets = f'the first of {info.anchor_sets} sets of anchors' if info.anchor_sets > 1 else 'anchors'
    return (
        f'<dl class="legend">{"".join(items)}</dl><p class="note">Drawn is {sets}, the one that '
        'evaluation uses. The strip below an example is its whole sequence: reconstruction above, '
        'segments, prediction below. In numbers, "r 90 \u2192 20\u201359" says that after 90 '
        'steps, steps 20 to 59 (counted from 0) are to be reconstructed.</p>'
    )
