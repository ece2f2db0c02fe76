"""The interval against its definition and published values."""

import math

import pytest

from trainer.monitoring.confidence import wilson_interval


@pytest.mark.parametrize(
    ('successes', 'total', 'low', 'high'),
    # Newcombe 1998 (Statistics in Medicine 17), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_published_values(successes, total, low, high):
    got = wilson_interval(successes, total)
    assert got == pytest.approx((low, high), abs=5e-5)


def test_bounds_solve_the_score_equation():
    for successes in (0, 3, 50, 97, 100):
        for bound in wilson_interval(successes, 100):
            share = successes / 100
            spread = 1.959964 * math.sqrt(bound * (1 - bound) / 100)
            assert abs(bound - share) == pytest.approx(spread, abs=1e-6)
