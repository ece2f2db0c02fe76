"""The probe of states: it finds what they hold, by any distance, and nothing else."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from pipelines.format.errors import LonghaulError
from trainer.monitoring import memory_curve as module
from trainer.monitoring.memory_curve import memory_curve, probed_distances

RANDOM = np.random.default_rng(0)


def test_states_that_hold_the_last_steps_hold_no_others():
    """Turned around: what is held is a combination of units, as a network would have it."""
    past = RANDOM.normal(size=[600, 12, 2])
    turned = np.linalg.qr(RANDOM.normal(size=[8, 8]))[0]
    states = (past[:, :4].reshape(600, 8) @ turned).astype(np.float32)
    found = memory_curve(states, past, np.arange(1, 13))
    np.testing.assert_array_equal(found.distances, np.arange(1, 13))
    np.testing.assert_allclose(found.explained[:4], 1, atol=0.01)
    assert found.explained[4:].max() < 0.03
    assert found.total == pytest.approx(1 / 3, abs=0.03)


def test_it_is_a_ridge_regression():
    """With scikit-learn's own leave-one-out choice of the penalty, for noise of many sizes."""
    chosen = set()
    for noise in (0.1, 1.0, 4.0, 16.0):
        states = RANDOM.normal(size=[120, 30]) * np.linspace(0.1, 3, 30) + 5
        past = (states[:, :5] + noise * RANDOM.normal(size=[120, 5]))[:, :, np.newaxis]
        found = memory_curve(states, past, np.arange(1, 6))
        fitted, judged = states[:60], states[60:]
        mean, deviation, known = fitted.mean(0), fitted.std(0), past[:60, :, 0].mean(0)
        probe = RidgeCV([p * 60 for p in module._PENALTIES], fit_intercept=False)
        probe.fit((fitted - mean) / deviation, past[:60, :, 0] - known)
        chosen.add(probe.alpha_)
        said = known + probe.predict((judged - mean) / deviation)
        missed = ((past[60:, :, 0] - said) ** 2).sum(0)
        varies = ((past[60:, :, 0] - known) ** 2).sum(0)
        np.testing.assert_allclose(found.explained, (1 - missed / varies).clip(0), atol=1e-9)
        total = max(0, 1 - missed.sum() / varies.sum())
        assert found.total == pytest.approx(total, abs=1e-9)
    assert len(chosen) > 1


def test_tokens():
    """States that are one-hot of the last token: it is known, others are not."""
    tokens = RANDOM.integers(40, 50, [800, 3])
    found = memory_curve(np.eye(50)[tokens[:, 0]], tokens, np.array([1, 2, 9]))
    np.testing.assert_allclose(found.explained, [1, 0, 0], atol=0.03)


def test_rare_tokens_are_one():
    """Of a thousand the 63 most frequent are told apart; all others are one more."""
    tokens = np.concatenate([np.arange(1000), np.repeat(np.arange(500, 563), 9)])[:, np.newaxis]
    hot = module._one_hot(tokens)
    assert hot.shape == (len(tokens), 1, 64)
    np.testing.assert_array_equal(hot.sum(axis=-1), 1)
    assert hot[:, 0, 63].sum() == 1000 - 63
    assert hot[500:563, 0].argmax(axis=-1).max() == 62


def test_what_is_always_the_same_is_no_memory():
    past = RANDOM.normal(size=[100, 3, 1])
    past[:, 1] = 7
    found = memory_curve(past[:, 0], past, np.array([1, 2, 3]))
    assert np.isnan(found.explained[1])
    assert found.explained[0] > 0.99
    assert 0 < found.total < 1
    nothing = memory_curve(past[:, 0], np.full([100, 3], 4), np.array([1, 2, 3]))
    assert np.isnan(nothing.explained).all()
    assert nothing.total == 0


def test_dead_units_and_more_units_than_sequences_do_no_harm():
    states, past = np.zeros([40, 100]), RANDOM.normal(size=[40, 2, 1])
    states[:, 3:5] = past[:, :, 0]
    found = memory_curve(states, past, np.array([1, 2]))
    assert found.explained.min() > 0.99


def test_distances_reach_from_the_last_step_to_the_first():
    assert probed_distances(1).tolist() == [1]
    assert probed_distances(5).tolist() == [1, 2, 3, 4, 5]
    far = probed_distances(16_384)
    assert (len(far), far[0], far[-1]) == (48, 1, 16_384)
    assert set(np.diff(far)) == {348, 349}


@pytest.mark.parametrize(
    ('states', 'past'), [((4, 2), (3, 2, 1)), ((4,), (4, 2)), ((1, 2), (1, 2))]
)
def test_shapes_that_do_not_fit_are_refused(states, past):
    with pytest.raises(LonghaulError, match='states, past: have the shapes'):
        memory_curve(np.zeros(states), np.zeros(past), np.array([1, 2]))
