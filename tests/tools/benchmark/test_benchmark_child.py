"""A child that takes too much dies alone, and says why."""

import dataclasses
import os
import sys
import time

import pytest

from pipelines.format.errors import LonghaulError
from tools.benchmark import child, in_child, memory
from tools.benchmark.child import Limits
from tools.benchmark.step import implementations, measure, run
from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import Outcome, outcome_of

MEGABYTE = 1 << 20
ROOMY = Limits(memory_bytes=1 << 33, seconds=60)


def run_code(code, limits=ROOMY, **environment):
    command = [sys.executable, '-c', code]
    return outcome_of(child.run_command(command, environment=environment, limits=limits))


def test_what_a_child_tells():
    code = """if True:
        import json, os
        print('a line of a library')
        for values in ({'before_bytes': 5}, {'settings': {'a': os.environ['A']}}, {'seconds': [1]},
                       {'seconds': [1, 0.5]}, {'peak_bytes': 7}, {'done': True}):
            print(json.dumps(values))
    """
    assert run_code(code, A='1') == Outcome('ok', [1, 0.5], 7, {'a': '1'})


def test_memory_limit_kills_the_child_and_what_it_started():
    code = """if True:
        import json, subprocess, sys
        other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
        print(json.dumps({'before_bytes': 1 << 20, 'settings': {'other': other.pid}}), flush=True)
        taken = []
        while True:
            taken.append(bytearray(b'1' * (8 << 20)))
    """
    started = time.monotonic()
    outcome = run_code(code, Limits(200 * MEGABYTE, 60))
    assert time.monotonic() - started < 20
    assert (outcome.status, outcome.seconds) == ('out of memory', [])
    assert 198 * MEGABYTE < outcome.peak_bytes < 4096 * MEGABYTE
    deadline = time.monotonic() + 10
    while memory.resident(outcome.settings['other']) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not memory.resident(outcome.settings['other'])


def test_time_limit_kills_the_child():
    started = time.monotonic()
    outcome = run_code('import time; time.sleep(60)', Limits(1 << 33, 0.3))
    assert time.monotonic() - started < 10
    assert outcome == Outcome('out of time', [], None, {})


@pytest.mark.parametrize(
    ('code', 'status'),
    [
        ('raise KeyError(3)', 'failed: KeyError: 3'),
        ('import os; os.abort()', 'failed: SIGABRT: said nothing'),
        ('import os, signal; os.kill(os.getpid(), signal.SIGKILL)', 'out of memory'),
        ('import sys; sys.exit("what(): std::bad_alloc")', 'out of memory'),
        ('pass', 'failed: said nothing'),
        ('print(\'{"error": "ImportError: no x"}\')', 'not installed'),
        ('print(\'{"error": "RuntimeError: std::bad_alloc"}\')', 'out of memory'),
        ('print(\'{"error": "ValueError: 3"}\'); raise KeyError(4)', 'failed: ValueError: 3'),
        ('print(\'{"seconds": 1}\'); print(\'{"secon\', end="")', 'failed: said nothing'),
    ],
)
def test_how_a_child_ends(code, status):
    assert run_code(code).status == status


def test_children_are_the_first_to_go():
    code = """if True:
        import json, time
        time.sleep(0.3)
        adj = int(open('/proc/self/oom_score_adj').read())
        print(json.dumps({'done': True, 'settings': {'adj': adj}}))
    """
    assert run_code(code).settings == {'adj': 1000}


def test_a_missing_library_is_a_row(tmp_path, monkeypatch):
    """A real child; what it lacks is PyTorch."""
    (tmp_path / 'torch.py').write_text('raise ModuleNotFoundError("No module named torch")\n')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    options = Options('step', lengths=(4,), implementations=('torch_full',))
    (spec,) = options.specs()
    outcome = run.measure(spec, options)
    assert (outcome.status, outcome.seconds) == ('not installed', [])
    assert outcome.settings['error'] == 'ModuleNotFoundError: No module named torch'


class Broken:
    """A module whose measurement fails."""

    @staticmethod
    def measure(asked, tell):
        tell(seconds=[1.0])
        raise ValueError(f'{asked["why"]}\nand more')


def test_an_exception_is_told_by_its_first_line(monkeypatch, capfd):
    told = {}
    monkeypatch.setattr(in_child, 'own_stdout', lambda: lambda **values: told.update(values))
    monkeypatch.setattr(in_child.importlib, 'import_module', lambda name: Broken)
    assert in_child.main('broken', '{"why": "one line"}') == 1
    assert told == {'seconds': [1.0], 'error': 'ValueError: one line'}
    assert 'Traceback' in capfd.readouterr().err


def test_a_measurement_that_fails_is_refused_by_its_last_word():
    with pytest.raises(LonghaulError, match="^job: it failed: .*'no_such'"):
        child.told_by('no_such', {}, what='job: it')


def test_the_peak_is_measured_from_before_the_model(monkeypatch):
    told = {}

    class Fake:
        @staticmethod
        def load(spec):
            taken = bytearray(b'1' * (300 * MEGABYTE))
            del taken

        @staticmethod
        def build(spec):
            kept = bytearray(b'1' * (40 * MEGABYTE))
            return implementations.Built(lambda: float(len(kept)), {'a': 1})

    monkeypatch.setattr(implementations, 'module_of', lambda name: Fake)
    monkeypatch.setattr(implementations, 'libraries_of', lambda name: ('numpy', 'no-such-library'))
    (spec,) = Options('step', lengths=(4,), implementations=('torch_full',)).specs()
    measure.measure(dataclasses.asdict(spec), lambda **values: told.update(values))
    assert 39 * MEGABYTE < told['peak_bytes'] < 200 * MEGABYTE
    assert told['before_bytes'] > MEGABYTE
    assert len(told['seconds']) == spec.steps
    settings = told['settings']
    assert (settings['a'], settings['loss']) == (1, 40 * MEGABYTE)
    assert settings['versions']['no-such-library'] == 'not installed'
    assert set(settings['environment']) <= set(os.environ)
