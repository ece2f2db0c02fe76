"""A child that takes too much dies alone, and the row says why."""

import os
import sys
import time

import pytest

from tools.benchmark import child, process, run
from tools.benchmark.options import Options
from tools.benchmark.process import Limits
from tools.benchmark.rows import Candidate, Outcome

MEGABYTE = 1 << 20
ROOMY = Limits(memory_bytes=1 << 33, seconds=60)


def run_code(code, limits=ROOMY, **environment):
    return process.run_child([sys.executable, '-c', code], environment, limits)


def test_what_a_child_tells():
    code = """if True:
        import json, os
        print('a line of a library')
        for values in ({'before_bytes': 5}, {'settings': {'a': os.environ['A']}}, {'seconds': 1.5},
                       {'settings': {'b': 2}}, {'seconds': 0.5}, {'peak_bytes': 7},
                       {'status': 'ok'}):
            print(json.dumps(values))
    """
    assert run_code(code, A='1') == Outcome('ok', [1.5, 0.5], 7, {'a': '1', 'b': 2})


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
    while process.resident_bytes(outcome.settings['other']) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not process.resident_bytes(outcome.settings['other'])


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
        ('print(\'{"status": "not installed"}\')', 'not installed'),
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
        print(json.dumps({'status': 'ok', 'settings': {'adj': adj}}))
    """
    assert run_code(code).settings == {'adj': 1000}


def test_a_missing_library_is_a_row(tmp_path, monkeypatch):
    """A real child; what it lacks is PyTorch."""
    (tmp_path / 'torch.py').write_text('raise ModuleNotFoundError("No module named torch")\n')
    monkeypatch.setenv('PYTHONPATH', str(tmp_path))
    options = Options('step', lengths=(4,), implementations=('torch_full',))
    (spec,) = options.specs()
    spec = spec.from_json(spec.to_json() | {'candidate': {'options': {'threads': 1}}})
    outcome = run.measure(spec, options)
    assert (outcome.status, outcome.seconds) == ('not installed', [])
    assert outcome.settings['error'] == 'ModuleNotFoundError: No module named torch'


@pytest.mark.parametrize(
    ('error', 'status'),
    [
        (MemoryError(), 'out of memory'),
        (RuntimeError("[enforce fail] can't allocate memory: you tried"), 'out of memory'),
        (ModuleNotFoundError('No module named torch'), 'not installed'),
        (ValueError('one line\nand more'), 'failed: ValueError: one line'),
    ],
)
def test_status_of_an_exception(error, status):
    assert child.status_of(error) == status


def test_the_peak_is_measured_from_before_the_model(monkeypatch):
    told = {}

    class Fake:
        LIBRARIES = ('numpy', 'no-such-library')

        @staticmethod
        def load(spec):
            taken = bytearray(b'1' * (300 * MEGABYTE))
            del taken

        @staticmethod
        def build(spec):
            kept = bytearray(b'1' * (40 * MEGABYTE))
            return child.implementations.Built(lambda: float(len(kept)), {'a': 1})

    def tell(settings=None, **values):
        told.update(values)
        told.setdefault('settings', {}).update(settings or {})

    monkeypatch.setattr(child.implementations, 'module_of', lambda name: Fake)
    (spec,) = Options('step', lengths=(4,), implementations=('torch_full',)).specs()
    child.measure(spec, tell)
    assert 39 * MEGABYTE < told['peak_bytes'] < 200 * MEGABYTE
    assert told['before_bytes'] > MEGABYTE
    assert 0 <= told['seconds'] < 1
    settings = told['settings']
    assert (settings['a'], settings['loss']) == (1, 40 * MEGABYTE)
    assert settings['versions']['no-such-library'] == 'not installed'
    assert set(settings['environment']) <= set(os.environ)


def test_candidates_reach_the_environment(monkeypatch):
    monkeypatch.setenv('PYTHONPATH', 'elsewhere')
    environment = run._environment(Candidate({'threads': 2}, {'OMP_WAIT_POLICY': 'PASSIVE'}))
    root, *others = environment.pop('PYTHONPATH').split(os.pathsep)
    assert os.path.exists(os.path.join(root, 'tools', 'benchmark', 'child.py'))
    assert (others, environment) == (['elsewhere'], {'OMP_WAIT_POLICY': 'PASSIVE'})
