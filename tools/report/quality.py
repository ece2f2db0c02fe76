"""Classes: precision, recall, and what is taken for what."""

import numpy as np

from pipelines.format.errors import LonghaulError
from tools.inspect import markup
from tools.report import classes
from tools.report.parts import percent, table
from tools.report.run_files import RunFiles, read_predictions

# A larger matrix would be no picture any more.
_MATRIX, _PAIRS, _ROWS = 20, 20, 40


def labelled_rows(run: RunFiles) -> list[dict]:
    """The evaluated split's predictions for examples with a label.

    Raises:
      LonghaulError: if there are none.
    """
    split = run.split
    rows = classes.labelled(read_predictions(run, split))
    known = set(run.class_names)
    rows = [row for row in rows if row['label'] in known and row['predicted'] in known]
    if not rows:
        raise LonghaulError(
            f'{run.name}: no example of {split} has a label; run the job on data with labels'
        )
    return rows


def draw(run: RunFiles) -> str:
    """The classes' table, and the matrix or the pairs that are confused most."""
    rows = labelled_rows(run)
    return (
        f'<div class="wide"><div>{_table(rows, run.class_names)}</div>'
        f'<div>{_confusions(rows, run.class_names)}</div></div>'
    )


def _table(rows: list[dict], names: tuple[str, ...]) -> str:
    found, note = classes.count(rows, names), ''
    if len(found) > _ROWS:
        found = sorted(found, key=lambda c: (c.recall is None, c.recall or 0.0))[:_ROWS]
        note = f'<p>The {_ROWS} classes with the lowest recall, of {len(names):,}.</p>'
    cells = [
        [
            markup.name(c.name),
            percent(c.precision, 1),
            percent(c.recall, 1),
            f'{c.true:,}',
            f'{c.said:,}',
        ]
        for c in found
    ]
    head = ['class', 'precision', 'recall', 'examples', 'said']
    return note + table('Precision and recall of each class', head, cells)


def _confusions(rows: list[dict], names: tuple[str, ...]) -> str:
    if len(names) <= _MATRIX:
        return _matrix(classes.confusion(rows, names), names)
    pairs = classes.confused_pairs(rows, most=_PAIRS)
    if not pairs:
        return '<p>No example was taken for another class.</p>'
    total = {c.name: c.true for c in classes.count(rows, names)}
    cells = [
        [markup.name(label), markup.name(said), f'{n:,}', markup.share(n, total[label])]
        for label, said, n in pairs
    ]
    head = ['class', 'taken for', 'times', 'of the class']
    return table('The most confused classes', head, cells, left=2)


def _matrix(matrix: np.ndarray, names: tuple[str, ...]) -> str:
    """Rows are classes, columns what was said; a cell is darker the larger its share of the row."""
    heads = ''.join(f'<th scope="col">{markup.name(name)}' for name in names)
    body = []
    for i, (name, counts) in enumerate(zip(names, matrix, strict=True)):
        total = max(1, counts.sum())
        cells = ''.join(
            f'<td class="{"right" if i == j else "wrong"}" style="--w:{50 * n / total:.0f}%">'
            f'{n if n else ""}'
            for j, n in enumerate(counts)
        )
        body.append(f'<tr><th scope="row">{markup.name(name)}{cells}')
    return (
        '<p>Rows are the true classes, columns what the model said.</p><div class="scroll" '
        'tabindex="0" role="region" aria-label="Confusion matrix"><table class="confusion">'
        f'<thead><tr><td>{heads}</thead><tbody>{"".join(body)}</tbody></table></div>'
    )
