"""Who is measured when, who is not started any more, and which setting is taken."""

import pytest

from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import Candidate, Outcome
from tools.benchmark.step.session import Session

TINY = {'models': ('r',), 'bptt_steps': 4, 'auxiliary_steps': 4, 'tune': False, 'steps': 1}


class Machine:
    """Measures nothing; `broken`: (implementation, least length) -> status."""

    def __init__(self, broken=None, seconds=None, candidates=None):
        self.broken, self.seconds = broken or {}, seconds or {}
        self.candidates = candidates or {}
        self.started = []

    def measure(self, spec):
        self.started.append((spec.length, spec.implementation, spec.candidate.options.get('n')))
        for (implementation, least), status in self.broken.items():
            if spec.implementation == implementation and spec.length >= least:
                return Outcome(status, [], 11, {})
        took = self.seconds.get(spec.candidate.options.get('n'), 1.0)
        return Outcome('ok', [took] * spec.steps, 10 * spec.length, {'loss': 0.5})

    def candidates_of(self, spec):
        numbers = self.candidates.get(spec.implementation, [0])
        return [Candidate({'n': n}, {'XLA_FLAGS': f'-{n}'}) for n in numbers]

    def rows(self, options):
        session = Session(options, measure=self.measure, candidates_of=self.candidates_of)
        return [row for rows in session.rows() for row in rows]


def make_options(*implementations, **values):
    return Options('step', implementations=implementations, **TINY | values)


def test_implementations_take_turns_at_each_length(capsys):
    machine = Machine()
    options = make_options('longhaul', 'keras3', lengths=(16, 8, 8), repeats=2)
    rows = machine.rows(options)
    turn = ['longhaul', 'keras3']
    assert [s[:2] for s in machine.started] == [(n, i) for n in (8, 16) for i in turn * 2]
    assert [(r.length, r.implementation, r.seconds_all) for r in rows] == [
        (n, i, [1.0, 1.0]) for n in (8, 16) for i in turn
    ]
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 8
    assert ' '.join(said[0].split()) == '8 steps longhaul r ok 1.000 s n=0 XLA_FLAGS=-0'


@pytest.mark.parametrize('status', ['out of memory', 'out of time'])
def test_not_started_again_after_it_ran_out(status):
    machine = Machine({('keras3', 16): status})
    rows = machine.rows(make_options('longhaul', 'keras3', lengths=(8, 16, 32), repeats=3))
    started = [n for n, implementation, _ in machine.started if implementation == 'keras3']
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


def test_the_fastest_candidate_is_found_at_the_shortest_length():
    machine = Machine(
        seconds={0: 3.0, 1: 1.0, 2: 2.0}, candidates={'keras3': [0, 1, 2], 'tf_keras': [7]}
    )
    options = make_options('keras3', 'tf_keras', lengths=(16, 8), repeats=1, tune=True)
    rows = machine.rows(options)
    assert machine.started == [
        *((8, 'keras3', n) for n in (0, 1, 2)),
        *((n, *who) for n in (8, 16) for who in (('keras3', 1), ('tf_keras', 7))),
    ]
    settings = rows[0].settings
    assert (settings['n'], settings['XLA_FLAGS']) == (1, '-1')
    assert settings['tried'] == [
        {'n': n, 'XLA_FLAGS': f'-{n}', 'status': 'ok', 'seconds': s}
        for n, s in ((0, 3.0), (1, 1.0), (2, 2.0))
    ]
    assert 'tried' not in rows[1].settings


def test_without_tuning_the_first_candidate_is_taken():
    machine = Machine(seconds={0: 3.0, 1: 1.0}, candidates={'keras3': [0, 1]})
    machine.rows(make_options('keras3', lengths=(8,), repeats=1))
    assert machine.started == [(8, 'keras3', 0)]


def test_what_no_candidate_can_do_is_not_started():
    machine = Machine({('keras3', 0): 'not installed'}, candidates={'keras3': [0, 1]})
    rows = machine.rows(make_options('keras3', lengths=(8, 16), repeats=2, tune=True))
    assert machine.started == [(8, 'keras3', 0)]
    assert [(r.status, r.seconds) for r in rows] == [('not installed', None)] * 2
    assert rows[1].settings['not_started'] == 'not started: not installed at 8'


def test_a_failed_candidate_is_not_the_fastest():
    machine = Machine(seconds={1: 5.0}, candidates={'keras3': [0, 1]})
    measure = machine.measure

    def fail(spec):
        failed = spec.candidate.options['n'] == 0
        return Outcome('failed: x') if failed else measure(spec)

    machine.measure = fail
    (row,) = machine.rows(make_options('keras3', lengths=(8,), repeats=1, tune=True))
    assert (row.status, row.seconds, row.settings['n']) == ('ok', 5.0, 1)
    assert row.settings['tried'][0]['status'] == 'failed: x'


def test_medians_are_over_steps_and_repeats():
    machine = Machine()
    outcomes = iter([Outcome('ok', [1.0, 9.0], 10), Outcome('ok', [2.0, 3.0], 30)])
    machine.measure = lambda spec: next(outcomes)
    (row,) = machine.rows(make_options('keras3', lengths=(8,), repeats=2))
    assert (row.seconds, row.seconds_all, row.peak_bytes) == (2.5, [1.0, 9.0, 2.0, 3.0], 20)
