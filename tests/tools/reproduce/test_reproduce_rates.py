"""The learning-rate range test."""

import pytest
from small_models import config_of

from pipelines.format.errors import LonghaulError
from tools.reproduce import rates
from tools.reproduce.rates import RangeTest


@pytest.mark.long
def test_the_rate_grows_and_the_loss_is_followed(digit_records, monkeypatch):
    config = config_of(digit_records, 'ObjectiveConfig.reconstruction_weight=0.0')
    # The process that runs the tests has computed before.
    monkeypatch.setattr(rates.execution, 'start_compiler', lambda how: None)
    monkeypatch.setattr(rates.execution, 'prepare', lambda config, tpu: rates.execution.SCAN)
    found = rates.range_test(config, low=1e-4, high=1e2, steps=12)
    assert 2 < len(found.rates) <= 12
    assert found.rates[0] == pytest.approx(1e-4)
    ratios = [b / a for a, b in zip(found.rates, found.rates[1:], strict=False)]
    assert ratios == pytest.approx([1e6 ** (1 / 11)] * len(ratios))
    assert found.losses[0] == pytest.approx(2.3, abs=0.2), 'the logarithm of ten classes'
    assert '1.00e-04' in str(found)
    with pytest.raises(LonghaulError, match='--low=1 --high=0.1 --steps=12: 0 < low < high'):
        rates.range_test(config, low=1, high=0.1, steps=12)


def test_the_steepest_fall():
    found = RangeTest([1e-3, 1e-2, 1e-1, 1.0], [2.0, 1.9, 1.2, 1.4])
    assert found.steepest == 1e-1
    with pytest.raises(LonghaulError, match='the loss falls at no rate'):
        _ = RangeTest([1e-3, 1e-2], [2.0, 2.1]).steepest


def test_a_test_that_ends_at_its_first_step_is_refused(monkeypatch):
    class Diverging:
        def __init__(self, *args, **kwargs):
            pass

        def from_records(self, split):
            return iter([{}])

        def step(self, batch):
            raise FloatingPointError

    monkeypatch.setattr(rates, 'Learner', Diverging)
    monkeypatch.setattr(rates.execution, 'start_compiler', lambda how: None)
    monkeypatch.setattr(rates.execution, 'prepare', lambda config, tpu: rates.execution.SCAN)
    with pytest.raises(LonghaulError, match='--low=1: the loss of the first step is not finite'):
        rates.range_test(config_of(''), low=1, high=10, steps=5)
