"""What is installed, and what runs where nothing but that is: no checkout, no trainer."""

import ast
import os
import re
import shutil
import sys
from pathlib import Path

import environments
import pytest
import source_data
from environments import ROOT

# Installed by longhaul[trainer], [demo] or [gcp], never by the base install.
NOT_FOR_WORKERS = {'tf_keras', 'official', 'orbit', 'matplotlib', 'sklearn', 'pytest', 'ruff'}

# Tests that read nothing of a checkout: no gin/, docs/ or results/, no source files, no setup.py,
# and start no process in its folder.
WITHOUT_A_CHECKOUT = (
    'pipelines/format',
    'pipelines/job/sources/tables/test_csv_rows.py',
    'pipelines/job/sources/builtin/test_digits.py',
    'pipelines/job/sources/files/test_idx.py',
    'pipelines/job/sources/tables/test_json_rows.py',
    'pipelines/job/sources/test_registry.py',
    'pipelines/job/test_encoder.py',
    'pipelines/job/test_labels.py',
    'pipelines/job/test_plan.py',
    'pipelines/job/test_vocabulary.py',
    'pipelines/test_launcher.py',
    'pipelines/test_options.py',
    'tools/inspect',
    'tools/verify',
    'trainer/bptt/test_truncation.py',
    'trainer/data/test_batches.py',
    'trainer/data/test_order.py',
    'trainer/models/test_objective.py',
)

# Pytest on the wheel, before an installation of the checkout that may be there as well.
RUN_TESTS = """
import os, sys
sys.path.insert(0, os.environ['INSTALLED'])
import pipelines, pytest, tools, trainer
for package in (pipelines, tools, trainer):
    assert package.__file__.startswith(os.environ['INSTALLED']), package.__file__
sys.exit(pytest.main(['-q', *sys.argv[1:]]))
"""


def requirements(name: str) -> list[str]:
    """A list of requirements in setup.py, by its name there."""
    for node in ast.parse((ROOT / 'setup.py').read_text()).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == name:
            return ast.literal_eval(node.value)
    raise AssertionError(f'setup.py has no {name}')


def test_the_base_install_has_nothing_of_the_trainer():
    base = {r.split('=')[0].strip('~<>') for r in requirements('BASE')}
    assert {'apache-beam', 'tensorflow', 'gin-config'} <= base
    others = [r for name in ('TRAINER', 'DEMO', 'DEV') for r in requirements(name)]
    assert not base & {r.split('=')[0].strip('~<>') for r in others}
    assert not [r for r in requirements('BASE') if '[' in r]


def test_the_worker_image_is_built_from_what_there_is():
    """With the Beam that is pinned, and every file that setup.py needs."""
    lines = (ROOT / 'docker' / 'worker.Dockerfile').read_text().splitlines()
    pinned = next(p for p in environments.CONSTRAINTS.read_text().split() if 'apache-beam=' in p)
    assert f'ARG BEAM={pinned.partition("==")[2]}' in lines
    copied = [n for line in lines if line.startswith('COPY ') for n in line.split()[1:-1]]
    assert {'setup.py', 'constraints.txt', 'pipelines', 'trainer', 'tools'} <= set(copied)
    assert all((ROOT / name).exists() for name in copied)
    allowed = (ROOT / 'docker' / 'worker.Dockerfile.dockerignore').read_text().splitlines()
    assert {f'!{name}' for name in copied} <= set(allowed)


@pytest.mark.long
def test_every_step_of_the_worker_image_runs(tmp_path):
    """In an environment with Beam, in the place of Beam's image; the worker's modules import."""
    text = (ROOT / 'docker' / 'worker.Dockerfile').read_text().replace('\\\n', ' ')
    steps = [line for line in text.splitlines() if line and not line.startswith('#')]
    arguments = dict(s.removeprefix('ARG ').split('=') for s in steps if s.startswith('ARG '))
    python = environments.make(tmp_path / 'venv', f'apache-beam[gcp]=={arguments["BEAM"]}')
    root, path = tmp_path / 'opt/longhaul', f'{python.parent}{os.pathsep}{os.environ["PATH"]}'
    for step in steps:
        kind, _, rest = step.partition(' ')
        if kind == 'COPY':
            *names, target = rest.split()
            for name in names:
                place = Path(target.replace('/opt/longhaul', str(root)))
                if (ROOT / name).is_dir():
                    ignore = shutil.ignore_patterns('__pycache__')
                    shutil.copytree(ROOT / name, place, ignore=ignore)
                else:
                    place.mkdir(parents=True, exist_ok=True)
                    shutil.copy(ROOT / name, place)
        elif kind == 'RUN':
            command = rest.replace('/opt/longhaul', str(root))
            env = {'PATH': path, 'EXTRAS': arguments['EXTRAS']}
            done = environments.run('sh', '-e', '-c', command, cwd=tmp_path, env=env)
            assert done.returncode == 0, done.stderr
        else:
            assert kind in ('ARG', 'FROM', 'ENTRYPOINT'), step
    worker = 'import apache_beam.runners.worker.sdk_worker_main, pipelines.job.graph; '
    worker += 'print(pipelines.__file__)'
    # What is installed imports, not what was copied.
    shutil.rmtree(root)
    found = environments.run(python, '-c', worker, cwd=tmp_path)
    assert found.returncode == 0, found.stderr
    assert found.stdout.startswith(str(tmp_path / 'venv'))


def test_every_pin_has_hashes():
    """Those of constraints.txt and of the uv that checks them; nothing installs another uv."""
    pins = environments.CONSTRAINTS.read_text().split()
    for name, wanted in (('constraints.hashes.txt', pins), ('uv.txt', ['uv'])):
        blocks = re.split(r'\n(?=\w)', (ROOT / name).read_text().strip())
        found = [block.split()[0] for block in blocks]
        assert len(found) == len(wanted)
        assert name == 'uv.txt' or sorted(found) == sorted(wanted)
        assert all(re.search(r'==\S+( ;.*)? \\\n +--hash=sha256:[0-9a-f]{64}', b) for b in blocks)
    lines = (ROOT / 'Makefile').read_text().splitlines()
    assert all('-c constraints.hashes.txt' in x for x in lines if '/uv pip install' in x)
    assert not [x for x in lines if re.search(r'pip install.* uv( |$)', x)]


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Path:
    """Built from a copy: what an old build left in build/ would get into the wheel."""
    folder = tmp_path_factory.mktemp('wheel')
    shutil.copytree(ROOT, folder / 'source', ignore=shutil.ignore_patterns('.*', 'build', '*.egg*'))
    command = ['-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', str(folder)]
    done = environments.run(sys.executable, *command, './source', cwd=folder)
    assert done.returncode == 0, done.stderr
    found = list(folder.glob('longhaul-*.whl'))
    assert len(found) == 1
    return found[0]


@pytest.fixture(scope='module')
def base(wheel, tmp_path_factory) -> Path:
    """The Python of an environment with the base install alone."""
    return environments.make(tmp_path_factory.mktemp('base') / 'venv', str(wheel))


@pytest.mark.long
def test_the_base_install_finds_nothing_of_the_trainer(base, tmp_path):
    find = 'import sys, importlib.util as u; print([n for n in sys.argv[1:] if u.find_spec(n)])'
    found = environments.run(base, '-c', find, *sorted(NOT_FOR_WORKERS), cwd=tmp_path)
    assert found.stdout == '[]\n', found.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    'flags',
    [
        ('--source=texts:texts', '--auxiliary_steps=5', '--segment_steps=8'),
        ('--source=builtin:stdlib', '--limit=5', '--max_steps=200'),
    ],
    ids=['texts', 'stdlib'],
)
def test_the_base_install_runs_a_job(base, tmp_path, monkeypatch, flags):
    """Away from the checkout; the developers' installation writes the same bytes."""
    files = {f'{c}/{i}.txt': f'{c} number {i}'.encode() * 9 for c in 'ab' for i in range(20)}
    source_data.write_folder(tmp_path / 'texts', files)
    done = environments.run(base, '-m', 'pipelines.main', *flags, '--output=base', cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith('records: base\n')
    monkeypatch.chdir(tmp_path)
    assert source_data.run_job(*flags, '--output=developers') == 0
    written = source_data.contents(tmp_path / 'base')
    assert 'records.json' in written
    assert written == source_data.contents(tmp_path / 'developers')


@pytest.mark.long
@pytest.mark.parametrize(
    ('source', 'output', 'expected'),
    [
        ('builtin:stdlib', 'gs://bucket/out', 'pip install "longhaul[gcp]"'),
        ('builtin:digits', 'out', 'pip install "longhaul[demo]"'),
    ],
)
def test_the_base_install_names_what_it_lacks(base, tmp_path, source, output, expected):
    command = ['-m', 'pipelines.main', f'--source={source}', f'--output={output}']
    done = environments.run(base, *command, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith('error: ')
    assert expected in done.stderr.splitlines()[-1]


@pytest.mark.long
def test_the_wheel_passes_the_tests_that_need_no_checkout(wheel, tmp_path):
    installed = tmp_path / 'installed'
    command = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', str(installed), str(wheel)]
    done = environments.run(sys.executable, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    away = tmp_path / 'away'
    shutil.copytree(ROOT / 'tests', away / 'tests', ignore=shutil.ignore_patterns('__pycache__'))
    (away / 'pytest.ini').write_text(
        '[pytest]\npythonpath = tests/support\nmarkers = long\n'
        'addopts = --import-mode=importlib -m "not long" -p no:cacheprovider\n'
    )
    env = {'INSTALLED': str(installed), 'CUDA_VISIBLE_DEVICES': ''}
    (away / 'run.py').write_text(RUN_TESTS)
    tests = [f'tests/{name}' for name in WITHOUT_A_CHECKOUT]
    done = environments.run(sys.executable, 'run.py', *tests, cwd=away, env=env)
    assert done.returncode == 0, done.stdout[-3000:]
    assert ' passed' in done.stdout


@pytest.mark.long
def test_the_wheel_has_the_command_and_finds_its_gin_files(wheel, tmp_path):
    """Away from the checkout; a gin file of the working folder wins over the installed one."""
    installed = tmp_path / 'installed'
    command = ['-m', 'pip', 'install', '-q', '--no-deps', '--target', str(installed), str(wheel)]
    done = environments.run(sys.executable, *command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    names = {path.relative_to(ROOT) for path in (ROOT / 'gin').rglob('*.gin')}
    share = installed / 'longhaul/share'
    assert {path.relative_to(share) for path in share.rglob('*.gin')} == names
    (tmp_path / 'find.py').write_text(
        'import sys\n'
        f'sys.path.insert(0, {str(installed)!r})\n'
        'from trainer import bindings\n'
        f'assert bindings.__file__.startswith({str(installed)!r})\n'
        'files = ["gin/digits/r_lstm.gin"]\n'
        'config = bindings.load(gin_files=files, gin_params=[], records="none")\n'
        'print(config.data.kind, config.run.train_steps)\n'
    )
    found = environments.run(sys.executable, 'find.py', cwd=tmp_path)
    assert found.stdout == 'image 1200\n', found.stderr
    own = tmp_path / 'gin/data/digits.gin'
    own.parent.mkdir(parents=True)
    own.write_text("DataConfig.kind = 'image'\nTRAIN_STEPS = 7\n")
    found = environments.run(sys.executable, 'find.py', cwd=tmp_path)
    assert found.stdout == 'image 7\n', found.stderr
    script = [sys.executable, str(installed / 'bin/longhaul'), '--help']
    found = environments.run(*script, cwd=tmp_path, env={'PYTHONPATH': str(installed)})
    assert '\n  train ' in found.stdout, found.stderr
