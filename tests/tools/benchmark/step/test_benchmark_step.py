"""The command: its refusals, what it prints and writes, and one real run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.benchmark import __main__ as command
from tools.benchmark.step import implementations, run
from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import Outcome

ROOT = Path(__file__).parents[4]


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ('step --batch=x', "error: --batch: 'x': a whole number is needed; see --help"),
        ('step --batch=1', 'error: --batch=1: a whole number of at least 2 is needed'),
        ('step --lengths=784,x', "error: --lengths: '784,x': whole numbers are needed, such as"),
        ('step --lengths=1', 'error: --lengths=1: a whole number of at least 2 is needed'),
        ('step --models=q', 'error: --models=q: name some of readout, r, p, rp, plain, full'),
        ('step --implementations=jax', 'error: --implementations=jax: name some of longhaul,'),
        ('step --implementations=products', 'error: --implementations=products: name some of'),
        ('sweep --implementations=keras3', 'error: --implementations=keras3: name some of longh'),
        ('sweep --models=r', 'error: unrecognized arguments: --models=r; see --help'),
        (
            'step --models=p --implementations=torch_truncated',
            'error: --models=p: torch_truncated knows r, plain; add one of them, or leave it out',
        ),
        (
            'step --lengths=4096,512',
            'error: --auxiliary_steps=600: fewer than the 512 steps of the shortest of --lengths '
            'are needed; 128 would do',
        ),
        ('step --memory_limit_gb=0', 'error: --memory_limit_gb=0: a number above 0 is needed'),
        ('step --time_limit=nan', 'error: --time_limit=nan: a number above 0 is needed'),
        ('step --steps=0', 'error: --steps=0: a whole number of at least 1 is needed'),
        ('step --json=no/such/f', 'error: --json=no/such/f: there is no such folder; create it'),
        ('step --json=.', 'error: --json=.: is a folder; name a file in it'),
        ('step --plot=a.txt', 'error: --plot=a.txt: a name that ends in .png, .svg, .pdf is'),
        ('step --len=8', 'error: unrecognized arguments: --len=8; see --help'),
        ('race', 'error: command: invalid choice:'),
        ('', 'error: the following arguments are required: command; see --help'),
    ],
)
def test_refuses_in_one_line(arguments, message, capsys):
    try:
        code = command.main(arguments.split())
    except SystemExit as stopped:
        code = stopped.code
    said = capsys.readouterr().err
    assert (code, said.count('\n')) == (2, 1)
    assert said.startswith(message)


def test_no_implementation_needs_its_library_to_be_known():
    code = """if True:
        import sys
        import tools.benchmark.__main__
        from tools.benchmark.step import implementations
        from tools.benchmark.step.options import Options
        for command in implementations.NAMES:
            for spec in Options(command).specs():
                implementations.environment_of(spec.implementation)
                implementations.module_of(spec.implementation)
        assert not {'tensorflow', 'torch', 'keras'} & set(sys.modules)
    """
    subprocess.run([sys.executable, '-c', code], cwd=ROOT, check=True)


def test_lines_follow_the_models_asked_for():
    options = Options('step', models=('plain', 'p'))
    lines = options.lines()
    assert lines[:2] == [('longhaul', 'plain'), ('longhaul', 'p')]
    assert ('torch_truncated', 'plain') in lines
    assert ('torch_truncated', 'r') not in lines
    assert {name for name, _ in lines} == set(implementations.NAMES['step'])
    assert Options('sweep').lines() == [('longhaul', 'sweep'), ('products', 'products')]


@pytest.fixture
def fake_machine(monkeypatch):
    def measure(spec, options):
        if spec.implementation == 'keras3' and spec.length > 1000:
            return Outcome('out of memory', [], 7 * 10**9)
        return Outcome('ok', [0.001 * spec.length] * spec.steps, 10**6, {'loss': 2.3})

    monkeypatch.setattr(run, 'measure', measure)


FLAGS = ('step', '--models=r', '--implementations=longhaul,keras3', '--repeats=1')


def test_prints_and_writes(fake_machine, tmp_path, capsys):
    json_file, plot_file = tmp_path / 'rows.json', tmp_path / 'rows.png'
    flags = [*FLAGS, '--lengths=784,4096', f'--json={json_file}', f'--plot={plot_file}']
    assert command.main(flags) == 0
    machine, versions, empty, head, *lines = capsys.readouterr().out.splitlines()
    assert 'cores' in machine
    assert versions.startswith(f'Python {sys.version.split()[0]}, tensorflow 2.')
    assert (empty, head[:2], len(lines)) == ('', '| ', 5)
    rows = json.loads(json_file.read_text())
    assert [r['status'] for r in rows] == ['ok', 'ok', 'ok', 'out of memory']
    assert rows[0]['settings']['bptt_steps'] == 300
    assert plot_file.read_bytes().startswith(b'\x89PNG')


def test_an_interruption_keeps_what_was_measured(fake_machine, tmp_path, monkeypatch, capsys):
    measure = run.measure

    def interrupted(spec, options):
        if spec.length == 4096:
            raise KeyboardInterrupt
        return measure(spec, options)

    monkeypatch.setattr(run, 'measure', interrupted)
    json_file = tmp_path / 'rows.json'
    assert command.main([*FLAGS, '--lengths=784,4096', f'--json={json_file}']) == 130
    assert len(json.loads(json_file.read_text())) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 7
    assert printed.err.endswith('stopped; the rows above are whole\n')


TINY = ('--lengths=24', '--batch=4', '--units=8', '--bptt_steps=8', '--auxiliary_steps=9')
ONCE = ('--repeats=1', '--steps=1')


@pytest.mark.long
def test_a_real_run(tmp_path, capsys):
    """Three children: two of ours, and PyTorch where it is installed."""
    path = tmp_path / 'rows.json'
    names = ('--models=plain,readout', '--implementations=longhaul,torch_full')
    assert command.main(['step', *TINY, *ONCE, *names, f'--json={path}']) == 0
    plain, readout, other = json.loads(path.read_text())
    for ours in (plain, readout):
        assert ours['settings']['objective']['supervised_bptt_steps'] == 8
        assert_measured(ours)
    asked = readout['settings']['objective']
    # A window of 8 steps has no more anchors.
    assert (asked['anchors_per_window'], asked['readout_distances']) == (8, 64)
    # The same classifier of the same batch, and what the readout says of it.
    assert readout['settings']['loss'] > plain['settings']['loss']
    assert other['status'] in ('ok', 'not installed')
    assert len(capsys.readouterr().out.splitlines()) == 8


def assert_measured(row):
    assert row['status'] == 'ok', row
    assert 0 < row['seconds'] < 10
    assert 0 < row['peak_bytes'] < 10**9
    assert row['settings']['loss'] > 0


@pytest.mark.long
@pytest.mark.parametrize('kind', implementations.NAMES)
def test_all_that_can_be_measured(kind, tmp_path):
    path = tmp_path / 'rows.json'
    tiny = (*TINY, '--models=r,p,rp,readout,full') if kind == 'step' else TINY[:-1]
    assert command.main([kind, *tiny, *ONCE, f'--json={path}']) == 0
    rows = json.loads(path.read_text())
    assert {r['implementation'] for r in rows} == set(implementations.NAMES[kind])
    for row in rows:
        if row['status'] != 'not installed':
            assert_measured(row)
