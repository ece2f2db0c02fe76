"""Who is measured when, and who is not started any more."""

import pytest

from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import Outcome
from tools.benchmark.step.session import rows_of

TINY = {'models': ('r',), 'bptt_steps': 4, 'auxiliary_steps': 4, 'steps': 1}


class Machine:
    """Measures nothing; `broken`: (implementation, least length) -> status."""

    def __init__(self, broken=None):
        self.broken, self.started = broken or {}, []

    def measure(self, spec):
        self.started.append((spec.length, spec.implementation))
        for (implementation, least), status in self.broken.items():
            if spec.implementation == implementation and spec.length >= least:
                return Outcome(status, [], 11, {})
        return Outcome('ok', [1.0] * spec.steps, 10 * spec.length, {'loss': 0.5})

    def rows(self, options):
        return [row for rows in rows_of(options, self.measure) for row in rows]


def make_options(*implementations, **values):
    return Options('step', implementations=implementations, **TINY | values)


def test_implementations_take_turns_at_each_length(capsys):
    machine = Machine()
    options = make_options('longhaul', 'keras3', lengths=(16, 8, 8), repeats=2)
    rows = machine.rows(options)
    turn = ['longhaul', 'keras3']
    assert machine.started == [(n, i) for n in (8, 16) for i in turn * 2]
    assert [(r.length, r.implementation, r.seconds_all) for r in rows] == [
        (n, i, [1.0, 1.0]) for n in (8, 16) for i in turn
    ]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 8
    assert ' '.join(said[0].split()) == '8 steps longhaul r ok 1.000 s'


@pytest.mark.parametrize('status', ['out of memory', 'out of time'])
def test_not_started_again_after_it_ran_out(status):
    machine = Machine({('keras3', 16): status})
    rows = machine.rows(make_options('longhaul', 'keras3', lengths=(8, 16, 32), repeats=3))
    started = [n for n, implementation in machine.started if implementation == 'keras3']
    assert started == [8, 8, 8, 16]
    found = {r.length: r for r in rows if r.implementation == 'keras3'}
    assert found[8].status == 'ok'
    for length in (16, 32):
        assert (found[length].status, found[length].seconds) == (status, None)
        assert found[length].settings['units'] == 128
    assert (found[16].peak_bytes, found[32].peak_bytes) == (11, None)
    assert found[16].settings['repeats_not_started'] == 2
    assert found[32].settings['not_started'] == f'not started: {status} at 16'
    assert [r.status for r in rows if r.implementation == 'longhaul'] == ['ok'] * 3


def test_a_failure_stops_the_repeats_of_its_length_alone():
    machine = Machine({('keras3', 0): 'failed: KeyError: 3'})
    rows = machine.rows(make_options('keras3', lengths=(8, 16), repeats=2))
    assert [s[0] for s in machine.started] == [8, 16]
    assert {r.status for r in rows} == {'failed: KeyError: 3'}


def test_what_is_not_installed_is_not_started_again():
    machine = Machine({('keras3', 0): 'not installed'})
    rows = machine.rows(make_options('keras3', lengths=(8, 16), repeats=2))
    assert machine.started == [(8, 'keras3')]
    assert [(r.status, r.seconds) for r in rows] == [('not installed', None)] * 2
    assert rows[1].settings['not_started'] == 'not started: not installed at 8'


def test_medians_are_over_steps_and_repeats():
    machine = Machine()
    outcomes = iter([Outcome('ok', [1.0, 9.0], 10), Outcome('ok', [2.0, 3.0], 30)])
    machine.measure = lambda spec: next(outcomes)
    (row,) = machine.rows(make_options('keras3', lengths=(8,), repeats=2))
    assert (row.seconds, row.seconds_all, row.peak_bytes) == (2.5, [1.0, 9.0, 2.0, 3.0], 20)
