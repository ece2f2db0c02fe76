"""The time left: compiling does not count, validations and evaluations do."""

import pytest

from trainer.monitoring import pace, progress


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(pace.time, 'monotonic', lambda: now[0])
    return now


def test_compiling_does_not_count_and_evaluations_do(clock):
    found = pace.Pace(
        last_step=40, batch_size=5, first_step=0, interval=20, validated=50, evaluated=100
    )
    found.start(0)
    clock[0] = 60.0
    # Nothing but the step that is compiled.
    found.start(1)
    assert found.rate(1) is None
    assert found.left(1, None) is None
    clock[0] = 64.5
    rate = found.rate(10)
    assert rate == 2.0
    # 200 examples more, each guessed at half of the time that training takes for it.
    assert found.left(10, rate) == 15 + 200 * 0.05
    for seconds in (30.0, 5.0, 7.0):
        found.validation_took(seconds)
    assert found.left(20, rate) == 10 + 200 * 0.1
    assert found.left(40, rate) == 0 + 150 * 0.1
    later = pace.Pace(first_step=10, last_step=45, interval=20, validated=1)
    later.validation_took(1.0)
    # At 30 and 45.
    assert [later.left(n, 1) - (45 - n) for n in (10, 30, 31, 45)] == [2, 2, 1, 1]
    assert pace.Pace(last_step=40).left(40, rate) == 0


def test_an_unknown_rate_is_said_as_such(capsys):
    reporter = progress.Reporter('text')
    reporter.begin('compiling the first step')
    reporter.training(phase='joint', step=1, last_step=9, logs={}, rate=None, left=None)
    said = capsys.readouterr().err.splitlines()
    assert said == ['compiling the first step', 'joint  step 1/9    ? steps/s  ? left']
