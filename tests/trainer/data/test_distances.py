"""Distances that readouts are asked about: pinned, one per stretch."""

import numpy as np
import pytest

from trainer.data.distances import draw_distances

DRAW = {'seed': 7, 'farthest': 784, 'count': 8}
# Of runs that there are: whoever changes these changes what a seed means.
GOLDEN = {
    (0, 'uniform', False): [30, 170, 254, 332, 450, 527, 641, 773],
    (0, 'uniform', True): [47, 175, 274, 297, 405, 546, 609, 724],
    (5, 'uniform', False): [76, 126, 219, 361, 482, 556, 686, 742],
    (5, 'log_uniform', False): [1, 2, 6, 21, 59, 112, 338, 545],
    (5, 'log_uniform', True): [1, 4, 10, 14, 38, 72, 225, 505],
    (None, 'uniform', True): [50, 148, 246, 344, 442, 540, 638, 736],
    (None, 'log_uniform', False): [1, 3, 8, 18, 42, 97, 224, 517],
}


@pytest.mark.parametrize('case', GOLDEN, ids=str)
def test_a_seed_and_a_step_mean_the_same_for_ever(case):
    step, placement, future = case
    found = draw_distances(step=step, placement=placement, future=future, **DRAW)
    assert found.dtype == np.int32
    assert found.tolist() == GOLDEN[case]


@pytest.mark.parametrize('placement', ['uniform', 'log_uniform'])
@pytest.mark.parametrize('farthest', [1, 5, 784])
def test_one_in_each_stretch(placement, farthest):
    """Of lengths, or of ratios; where there are more stretches than steps, some are asked twice."""
    ends = np.linspace(0, 1, 9)
    bounds = 1 + ends * farthest if placement == 'uniform' else (farthest + 1) ** ends
    draws = [
        draw_distances(
            seed=1, step=step, farthest=farthest, count=8, placement=placement, future=False
        )
        for step in range(200)
    ]
    for found in draws:
        assert (found >= np.floor(bounds[:-1] + 1e-9).clip(1)).all()
        assert (found <= np.floor(bounds[1:] + 1e-9).clip(1, farthest)).all()
    assert min(found.min() for found in draws) == 1
    assert max(found.max() for found in draws) >= 0.98 * farthest


def test_each_place_of_a_stretch_is_as_likely():
    found = np.stack(
        [draw_distances(step=s, placement='uniform', future=True, **DRAW) for s in range(4000)]
    )
    counts = np.bincount((found[:, 3] - 1), minlength=784)[294:392]
    # 98 places, 41 draws each; five standard deviations.
    assert abs(counts - 4000 / 98).max() < 5 * (4000 / 98) ** 0.5
