"""The line of an example: what was said, and the five most probable classes."""

import json

import numpy as np

from trainer.run_dir import predictions


def rows(probabilities, names, labels=(0,)):
    columns = {
        'label': np.array(labels),
        'probabilities': np.array(probabilities, np.float32),
    }
    ids = [str(9 - i) for i in range(len(labels))]
    return [json.loads(x) for x in predictions.lines(columns, ids, tuple(names)).splitlines()]


def test_the_five_most_probable_classes():
    (row,) = rows([[0.05, 0.3, 0.1, 0.2, 0.05, 0.25, 0.05]], 'abcdefg', [3])
    assert list(row) == ['id', 'label', 'predicted', 'probability', 'top']
    assert (row['label'], row['predicted'], row['probability']) == ('d', 'b', 0.3)
    # Of equal ones, the first.
    assert row['top'] == [['b', 0.3], ['f', 0.25], ['d', 0.2], ['c', 0.1], ['a', 0.05]]


def test_few_classes_no_label_and_no_classes():
    first, second = rows([[0.25, 0.75], [0.5, 0.5]], 'ab', [-1, 1])
    assert (first['id'], first['predicted'], first['top']) == ('8', 'a', [['a', 0.5], ['b', 0.5]])
    assert (second['label'], second['predicted']) == (None, 'b')
    (row,) = rows([[1.0]], '', [-1])
    assert (row['predicted'], row['probability'], row['top']) == (None, 1.0, [])
