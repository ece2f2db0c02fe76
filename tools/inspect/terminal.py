"""One example as text."""

import numpy as np

from pipelines.format.errors import printable
from pipelines.format.texts import text_of
from tools.inspect import pictures, signals
from tools.inspect.stored import Records, Stored

_SHADES, _WIDEST, _CHARACTERS = ' .:-=+*#%@', 64, 600


def show(found: Records, example: Stored) -> str:
    """Says what is known of an example, and draws the example itself."""
    info = found.info
    starts = example.segment_starts(info.segment_steps)
    lengths = np.diff([*starts, example.steps])
    lines = [
        f'id         {printable(example.id)}',
        f'split      {example.split}',
        f'class      {printable(found.class_name(example))} ({example.label})',
        f'steps      {example.steps:,} of {info.spec.channels} x {info.spec.dtype}',
        f'segments   {len(starts)}: {_few(lengths.tolist())} steps',
        f'L          {found.auxiliary_steps(example)} steps',
    ]
    for e in range(info.anchor_sets):
        said = (f'{name} {example.anchors[name][e].tolist()}' for name in example.anchors)
        lines.append(f'anchors {e}  {", ".join(said)}')
    return '\n'.join([*lines, '', _draw(found, example)])


def _few(numbers: list[int]) -> str:
    if len(numbers) <= 6:
        return ', '.join(map(str, numbers))
    return f'{numbers[0]}, then {numbers[1]} each'


def _draw(found: Records, example: Stored) -> str:
    if found.info.spec.kind == 'image':
        return _shades(pictures.plain(found, example).mean(axis=-1) / 255.0)
    if found.info.spec.kind == 'signal':
        return signals.plot(example.values)
    text = printable(text_of(example.values[:_CHARACTERS], found.info.spec), keep='\n\t')
    return text + (' ...' if example.steps > _CHARACTERS else '')


def _shades(picture: np.ndarray) -> str:
    """Brightness [side, side] in 0..1 as characters, two for a pixel: terminals are narrow."""
    step = -(-len(picture) * 2 // (2 * _WIDEST))
    small = picture[::step, ::step]
    levels = (small * (len(_SHADES) - 1)).round().astype(int)
    return '\n'.join(''.join(_SHADES[v] * 2 for v in row).rstrip() for row in levels)
