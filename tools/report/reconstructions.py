"""What the model reconstructs of the past from its last state, beside the truth."""

from collections.abc import Iterator

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from tools.inspect import markup
from tools.inspect.stored import Records, Stored
from tools.report import recall, show
from tools.report.charts import Axes, Line, beside, chart, legend
from tools.report.mistakes import MOST_STEPS
from tools.report.parts import table
from tools.report.recall import Stretch
from tools.report.run_files import RunFiles
from tools.report.weights import Weights, one_row, rows_at_once

_SHOWN, _MEASURED, _CHANNELS, _RANGES = 4, 32, 3, 4
# Fewer examples have no mean worth the name.
_FEWEST = 16


def draw(run: RunFiles, examples: Records, weights: Weights) -> str:
    """Some examples of the split, near, middle and far, and the error of more of them.

    Raises:
      LonghaulError: if the run has no r loss.
    """
    network = weights.model.reconstruction
    by_distance = network is not None and network.by_distance
    # A decoder takes its steps one by one.
    count = rows_at_once(1, most=_MEASURED if by_distance else _SHOWN)
    some = examples.spread(count, split=run.split, most_steps=MOST_STEPS)
    some = some[: rows_at_once(max((one.steps for one in some), default=1), most=count)]
    found = list(_recalled(run, weights, some)) if some else []
    if not found:
        raise LonghaulError(
            f'{run.records}: all sequences are too long or too short to be reconstructed here; '
            'tools.predict --recall takes single files'
        )
    every = max(1, len(found) // _SHOWN)
    cards = (_card(examples, one, own, run.spec) for one, own in found[::every][:_SHOWN])
    least = 19 if run.spec.kind == 'image' else 26
    return (
        f'<p>From a state alone, by {"the readout" if by_distance else "the decoder on its own"}. '
        'Distances are steps back from the last step that was read.</p>'
        f'<div class="cards" style="--least:{least}rem">{"".join(cards)}</div>'
        f'<h3>By distance, {len(found)} examples</h3>'
        f'{_by_distance([own for _, own in found], run.spec)}'
    )


def _recalled(
    run: RunFiles, weights: Weights, some: list[Stored]
) -> Iterator[tuple[Stored, list[Stretch]]]:
    """What is recalled of each example: at its end, and before its trailing steps if it has any."""
    trailing, moments = run.spec.trailing_steps, []
    for left in dict.fromkeys((trailing, 0)):
        moments.append((left, weights.read([x.values[: x.steps - left] for x in some], points=1)))
    for i, one in enumerate(some):
        own: list[Stretch] = []
        for left, reading in moments:
            state, values = one_row(reading.state, i), one.values[: one.steps - left]
            content = one.steps - trailing
            behind = ', behind the trailing steps' * (trailing > left)
            found = recall.stretches(run, weights, values, state, content=content)
            own += [stretch._replace(place=stretch.place + behind) for stretch in found]
        if own:
            yield one, own


def _card(examples: Records, one: Stored, found: list[Stretch], spec: SequenceSpec) -> str:
    draws = {'image': _pictures, 'text': _texts, 'signal': _curves}
    return (
        f'<figure class="card"><figcaption><b>{markup.name(examples.class_name(one))}</b> '
        f'{markup.name(one.id)}</figcaption>{draws[spec.kind](one, found, spec)}</figure>'
    )


def _range(stretch: Stretch) -> str:
    return f'{stretch.last:,} to {stretch.first:,} steps back'


def _pictures(one: Stored, found: list[Stretch], spec: SequenceSpec) -> str:
    """The truth, and the picture with each stretch as it is recalled, the rest dimmed."""
    panels = {'truth': one.values}
    for stretch in found:
        dimmed = (one.values // 3).astype(one.values.dtype)
        dimmed[stretch.begin : stretch.begin + len(stretch.said)] = stretch.said
        panels[_range(stretch)] = dimmed
    figures = (
        f'<figure>{show.picture(values, spec, about=f"{name}: {one.id}")}'
        f'<figcaption>{name}</figcaption></figure>'
        for name, values in panels.items()
    )
    return f'<div class="shown">{"".join(figures)}</div>'


def _texts(one: Stored, found: list[Stretch], spec: SequenceSpec) -> str:
    del one
    parts = []
    for stretch in found:
        share = 1 - recall.error(stretch)
        parts.append(
            f'<p class="note">{_range(stretch)}; {share:.0%} of the steps are right</p>'
            f'<div class="document" dir="auto"><b>truth</b> {_marked(stretch, spec, truth=True)}'
            f'\n<b>recalled</b> {_marked(stretch, spec, truth=False)}</div>'
        )
    return ''.join(parts)


def _marked(stretch: Stretch, spec: SequenceSpec, *, truth: bool) -> str:
    """One of the two texts; what is recalled wrong is marked, in runs of equal steps."""
    values = stretch.truth if truth else stretch.said
    wrong = (stretch.truth != stretch.said) & (not truth)
    cuts = [0, *(np.flatnonzero(np.diff(wrong.astype(int))) + 1), len(values)]
    parts = []
    for begin, end in zip(cuts, cuts[1:], strict=False):
        text = markup.text(text_of(values[begin:end], spec))
        parts.append(f'<span class="off">{text}</span>' if wrong[begin] else text)
    return ''.join(parts)


def _curves(one: Stored, found: list[Stretch], spec: SequenceSpec) -> str:
    del one, spec
    charts = []
    for stretch in found:
        steps = np.arange(stretch.begin, stretch.begin + len(stretch.truth))
        channels = min(_CHANNELS, stretch.truth.shape[1])
        lines = [
            Line(steps, values[:, c].astype(float), c, dashed=dashed)
            for c in range(channels)
            for values, dashed in ((stretch.truth, False), (stretch.said, True))
        ]
        charts.append(chart(_range(stretch), lines, Axes('step', 'value')))
    names = (
        [f'channel {c}' for c in range(min(_CHANNELS, found[0].truth.shape[1]))] if found else []
    )
    note = '<p class="note">Dashed: recalled.</p>'
    return beside(*charts) + legend(names) + note


def _by_distance(found: list[list[Stretch]], spec: SequenceSpec) -> str:
    """The mean error by range of distances, beside that of always saying the mean of a step.

    Args:
      found: the stretches of each example.
      spec: of the sequences; the mean is known where all have one length, and hold values.
    """
    by_place: dict[str, list[Stretch]] = {}
    for own in found:
        for part in sorted((p for s in own for p in _parts(s)), key=lambda part: part.last):
            # Where lengths differ, so do the distances.
            place = _range(part) if spec.fixed_length else part.place
            by_place.setdefault(place, []).append(part)
    text = spec.kind == 'text'
    rows = []
    for name, parts in by_place.items():
        error = float(np.mean([recall.error(part) for part in parts]))
        usual = _error_of_mean(parts) if spec.fixed_length and len(parts) >= _FEWEST else None
        said = f'{error:.1%}' if text else f'{error:.4f}'
        rows.append([name, said, '-' if usual is None else f'{usual:.4f}'])
    head = ['distance', 'steps recalled wrong' if text else 'mean squared error']
    if all(row[2] == '-' for row in rows):
        return table('Error by distance', head, [row[:2] for row in rows])
    return table('Error by distance', [*head, 'of always saying the mean'], rows)


def _error_of_mean(parts: list[Stretch]) -> float:
    """The variance of each step over the examples; values of uint8 in 0..1."""
    truth = np.stack([part.truth for part in parts]).astype(np.float64)
    scale = 255 if parts[0].truth.dtype == np.uint8 else 1
    return float((truth / scale).var(axis=0, ddof=1).mean())


def _parts(stretch: Stretch) -> list[Stretch]:
    """A stretch that spans a whole picture as quarters; any other one as it is."""
    if stretch.given or len(stretch.truth) < 2 * _RANGES or stretch.truth.ndim == 1:
        return [stretch]
    found = []
    for places in np.array_split(np.arange(len(stretch.truth)), _RANGES):
        begin, end = int(places[0]), int(places[-1]) + 1
        found.append(
            Stretch(
                stretch.begin + begin,
                stretch.truth[begin:end],
                stretch.said[begin:end],
                stretch.first - begin,
                stretch.first - end + 1,
                given=False,
                place=stretch.place,
            )
        )
    return found
