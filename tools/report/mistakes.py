"""The worst mistakes, and when the model knew: its classes as it reads."""

from typing import Any

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.inspect import markup
from tools.inspect.stored import Records, Stored
from tools.report import show
from tools.report.charts import Axes, Line, beside, chart, legend
from tools.report.classes import worst_mistakes
from tools.report.quality import labelled_rows
from tools.report.run_files import RunFiles
from tools.report.weights import Reading, Weights, leads_from, rows_at_once

_POINTS, _MISTAKES = 100, 6
# A longer sequence takes a minute to read; it is shown, but not read.
MOST_STEPS = 1 << 18


def worst(run: RunFiles, examples: Records, weights: Weights | None) -> str:
    """The mistakes that the model was surest of, each with its classes over time.

    Args:
      run: that was evaluated.
      examples: of its records.
      weights: None where they cannot read a sequence chunk by chunk.

    Raises:
      LonghaulError: if the split has no labels, or no mistake.
    """
    rows = labelled_rows(run)
    wanted = worst_mistakes(rows, most=_MISTAKES)
    if not wanted:
        raise LonghaulError(f'{run.split}: all of its {len(rows):,} examples are named right; well')
    found = ((row, examples.find_in(run.split, row['id'])) for row in wanted)
    pairs = [(row, shown) for row, shown in found if shown]
    if not pairs:
        raise LonghaulError(
            f'{run.records}: holds none of the examples that were named wrong; name the records '
            'that the run was evaluated on with --records'
        )
    if weights is None:
        note = 'Their classes over time are missing: the weights are, or need all steps at once.'
    else:
        note = _trained(run)
    cards = ''.join(_card(run, examples, weights, row, shown) for row, shown in pairs)
    total = sum(row['label'] != row['predicted'] for row in rows)
    return (
        f'<p>{len(pairs)} of {total:,} mistakes on {run.split}, those that the model was surest '
        f'of. {note}</p><div class="cards" style="--least:20rem">{cards}</div>'
    )


def _trained(run: RunFiles) -> str:
    """What the classes before the end are worth."""
    if run.known_config.objective.replicated:
        return 'The classifier was trained at the anchors and at the end.'
    return 'The classifier was trained at the end alone: what it says before, nobody taught it.'


def _card(
    run: RunFiles, examples: Records, weights: Weights | None, row: dict[str, Any], shown: Stored
) -> str:
    top = ', '.join(f'{markup.name(name)} {p:.1%}' for name, p in row['top'])
    over_time = ''
    if weights is not None and shown.steps <= MOST_STEPS:
        reading = weights.read([shown.values], points=_POINTS)
        over_time = _over_time(run, row, reading)
    return (
        f'<figure class="card"><figcaption><b>{markup.name(row["label"])}</b>, called '
        f'<b>{markup.name(row["predicted"])}</b> ({row["probability"]:.1%})<br>'
        f'{markup.name(row["id"])}</figcaption><div class="example">'
        f'{show.example(examples, shown)}</div><div class="numbers"><p>{top}</p></div>'
        f'{over_time}</figure>'
    )


def _over_time(run: RunFiles, row: dict[str, Any], reading: Reading) -> str:
    """The probabilities of the true class, of the one that was said, and of the next one."""
    names = dict.fromkeys([row['label'], row['predicted'], *(name for name, _ in row['top'])])
    shown = [name for name in names if name in run.class_names][:3]
    steps, said = reading.steps[0], reading.probabilities[0]
    lines = [
        Line(steps, 100 * said[:, run.class_names.index(name)], i) for i, name in enumerate(shown)
    ]
    drawn = chart('As it reads', lines, _axes(run, steps), key=legend(shown))
    return f'{drawn}<div class="numbers"><p>{_when(run, row, reading)}</p></div>'


def _axes(run: RunFiles, steps: np.ndarray) -> Axes:
    trailing = run.spec.trailing_steps
    mark = float(steps[-1] - trailing) if trailing else None
    return Axes('steps read', 'probability (%)', (0, 100), mark=mark)


def _when(run: RunFiles, row: dict[str, Any], reading: Reading) -> str:
    """In a sentence: from where the answer leads, and how sure the right class ever was."""
    steps, said = reading.steps[0], reading.probabilities[0]
    true = said[:, run.class_names.index(row['label'])]
    begin = leads_from(said, run.class_names.index(row['predicted']))
    parts = [f'The right class has at most {true.max():.1%}, at step {steps[true.argmax()]:,}']
    if begin is not None:
        parts.append(f'the answer leads from step {steps[begin]:,} of {steps[-1]:,} on')
    return '; '.join(parts) + '.'


def knowing(run: RunFiles, examples: Records, weights: Weights) -> str:
    """When the model knows: the right class over the share of the sequence that it has read.

    Raises:
      LonghaulError: if no example has a label.
    """
    found = examples.spread(rows_at_once(1), split=run.split, most_steps=MOST_STEPS)
    found = [one for one in found if one.label >= 0]
    if not found:
        raise LonghaulError(
            f'{run.split}: none of its examples has a label and at most {MOST_STEPS:,} steps; '
            'evaluate a split with labels'
        )
    found = found[: rows_at_once(max(one.steps for one in found))]
    reading = weights.read([one.values for one in found], points=_POINTS)
    labels = np.array([one.label for one in found])
    rows = np.arange(len(found))
    right = 100 * (reading.probabilities.argmax(axis=-1) == labels[:, np.newaxis]).mean(axis=0)
    sure = 100 * reading.probabilities[rows, :, labels].mean(axis=0)
    share, mark = 100 * np.arange(1, len(right) + 1) / len(right), None
    if run.spec.fixed_length and run.spec.trailing_steps:
        mark = 100 * (1 - run.spec.trailing_steps / run.spec.fixed_length)
    axes = Axes('share of the sequence read (%)', '%', (0, 100), mark=mark)
    blank = ' Behind the dotted line come the trailing steps.' if mark is not None else ''
    lines = [Line(share, right, 0), Line(share, sure, 1)]
    key = legend(['examples named right', 'mean probability of the right class'])
    drawn = chart('The right class', lines, axes, key=key)
    return (
        f'<p>{len(found)} examples of {run.split}, asked for their class as they are read.{blank}'
        f' {_trained(run)}</p>{beside(drawn)}'
    )
