"""python -m pipelines.main, as a user calls it: one line for a mistake, no traceback."""

import concurrent.futures
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import source_data

ROOT = Path(__file__).parents[2]


# What python -m does, several times in one process: its start takes ten seconds.
CHILD = """
import json, runpy, sys
for line in sys.stdin:
    name, *flags = json.loads(line)
    sys.argv = ['pipelines.main', *flags]
    try:
        runpy.run_module('pipelines.main', run_name='__main__', alter_sys=True)
    except SystemExit as end:
        for stream in (sys.stdout, sys.stderr):
            print(f'=== {name} {end.code}', file=stream, flush=True)
never = {'trainer', 'tools', 'tf_keras', 'official', 'gin', 'tensorflow_datasets'}
# Documents need no TensorFlow.
assert not (never | {'tensorflow', 'keras'}) & set(sys.modules)
"""


def start(*arguments: str, text: str = '') -> tuple[str, str, int]:
    # TF_CPP_MIN_LOG_LEVEL is pipelines.main's own affair.
    env = {k: v for k, v in os.environ.items() if k != 'TF_CPP_MIN_LOG_LEVEL'}
    found = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=env | {'PYTHONPATH': '', 'CUDA_VISIBLE_DEVICES': ''},
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    return found.stdout, found.stderr, found.returncode


@pytest.fixture(scope='module')
def ended(tmp_path_factory) -> dict[str, tuple[str, str, int]]:
    """stdout, stderr and exit code of some calls."""
    folder = tmp_path_factory.mktemp('main')
    (folder / 'names.txt').write_text('fog\nmist\n')
    table = source_data.write_csv(folder / 't.csv', source_data.documents())
    one = folder / 'one.csv'
    one.write_text('text,label\n' + 'some words,fog\n' * 20)
    needed = (f'--source=csv:{table}', '--auxiliary_steps=5')
    calls = {
        'typo': [*needed, f'--output={folder / "typo"}', '--segmentsteps=8'],
        'worker': [
            *needed,
            f'--output={folder / "worker"}',
            f'--class_names={folder / "names.txt"}',
        ],
        'good': [*needed, f'--output={folder / "good"}'],
        'one': [f'--source=csv:{one}', '--auxiliary_steps=5', f'--output={folder / "one"}'],
    }
    lines = '\n'.join(json.dumps([name, *flags]) for name, flags in calls.items())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        missing = pool.submit(start, '-m', 'pipelines.main', f'--output={folder / "missing"}')
        stdout, stderr, code = start('-c', CHILD, text=lines)
    assert code == 0, stderr
    outcomes = {}
    for name in calls:
        out, _, stdout = stdout.partition(f'=== {name} ')
        err, _, stderr = stderr.partition(f'=== {name} ')
        found, _, stdout = stdout.partition('\n')
        stderr = stderr.partition('\n')[2]
        outcomes[name] = (out, err, int(found))
    outcomes['missing'] = missing.result()
    assert not (folder / 'missing').exists()
    assert not (folder / 'typo').exists()
    return outcomes


@pytest.mark.parametrize(
    ('name', 'expected'),
    [
        ('typo', 'error: --segmentsteps=8: no such flag; did you mean --segment_steps?'),
        ('missing', 'error: the following arguments are required: --source; see python -m '),
        ('worker', 'error: --class_names: none of the '),
    ],
)
def test_a_mistake_is_one_line(ended, name, expected):
    stdout, stderr, code = ended[name]
    assert code == 2
    assert stdout == ''
    assert 'Traceback' not in stderr
    errors = [line for line in stderr.splitlines() if line.lower().startswith('error')]
    assert len(errors) == 1
    assert errors[0].startswith(expected)
    assert 'while running' not in errors[0]


def test_help_loads_neither_beam_nor_tensorflow():
    child = """
import runpy, sys
sys.argv = ['pipelines.main', '--help']
try:
    runpy.run_module('pipelines.main', run_name='__main__', alter_sys=True)
except SystemExit as end:
    print('=== ', end.code, sorted({'apache_beam', 'tensorflow'} & set(sys.modules)))
"""
    stdout, stderr, _ = start('-c', child)
    assert '--image_size IMAGE_SIZE' in stdout, stderr
    assert stdout.splitlines()[-1] == '===  0 []'


def test_a_job_says_what_it_wrote(ended):
    stdout, stderr, code = ended['good']
    assert code == 0, stderr
    lines = stdout.splitlines()
    assert lines[0].startswith('2 classes, of different length, segments of 300, in ')
    assert [line.split()[0] for line in lines[1:]] == ['train', 'validation', 'records:']
    assert 'Traceback' not in stderr


def test_a_job_says_that_all_are_of_one_class(ended):
    stdout, stderr, code = ended['one']
    assert code == 0, stderr
    assert stdout.startswith('1 class, of different length, ')
    assert '\n  all are of one class, fog: nothing to tell apart\n' in stdout
