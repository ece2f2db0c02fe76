"""Curves of a run: what is drawn over wall time."""

import math

import numpy as np

from tools.report import curves
from tools.report.run_files import RunFiles


def run_of(*validations) -> RunFiles:
    files = dict.fromkeys(RunFiles.__dataclass_fields__)
    return RunFiles(**files | {'name': 'run', 'folder': 'run', 'validations': validations})


def test_a_training_loss_is_drawn_at_the_time_between_validations():
    run = run_of(
        {'step': 10, 'seconds': 60.0, 'loss': 2.0}, {'step': 20, 'seconds': 240.0, 'loss': 1.0}
    )
    points = {5: 4.0, 10: 3.0, 15: 2.5, 20: 2.0}
    training, validation = curves.losses(run, points, over='minutes')
    np.testing.assert_allclose(training.x, [0.5, 1.0, 2.5, 4.0])
    np.testing.assert_allclose(training.y, [4.0, 3.0, 2.5, 2.0])
    np.testing.assert_allclose(validation.x, [1.0, 4.0])
    training, validation = curves.losses(run, points, over='step')
    assert (list(training.x), list(validation.x)) == ([5, 10, 15, 20], [10, 20])


def test_a_run_that_never_said_its_seconds_has_gaps():
    run = run_of({'step': 10, 'loss': 2.0})
    training, validation = curves.losses(run, {10: 3.0}, over='minutes')
    assert math.isnan(training.x[0])
    assert math.isnan(validation.x[0])
    (alone,) = curves.losses(run, {}, over='step')
    assert alone.y == [2.0]
