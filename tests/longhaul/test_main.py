"""The command `longhaul` and the modules behind it."""

import importlib.util
import sys

import environments
from environments import ROOT

from longhaul import __main__ as command

LOOK = """
import sys
from longhaul import __main__ as command
code = command.main(sys.argv[1:])
assert not {'tensorflow', 'apache_beam', 'numpy'} & set(sys.modules), sorted(sys.modules)
sys.exit(code)
"""


def run(*arguments):
    return environments.run(sys.executable, *arguments, cwd=ROOT)


def test_help_names_the_commands_and_imports_no_library():
    found = run('-c', LOOK, '--help')
    assert found.returncode == 0, found.stderr
    for name in ('job', 'train', 'report', 'predict', 'query', 'verify', 'inspect'):
        assert f'\n  {name} ' in found.stdout
    assert run('-c', LOOK).stdout == found.stdout


def test_an_unknown_command_is_refused_in_one_line():
    found = run('-c', LOOK, 'trian')
    assert (found.returncode, found.stdout) == (2, '')
    assert found.stderr.startswith('error: trian: no such command; name one of job, train')
    assert found.stderr.count('\n') == 1


def test_a_command_gets_its_flags_and_gives_its_exit_code():
    found = run('-m', 'longhaul', 'verify', '--hlep')
    assert (found.returncode, found.stdout) == (2, '')
    assert found.stderr == 'error: the following arguments are required: folder; see --help\n'
    assert 'usage: python -m tools.verify' in run('-m', 'longhaul', 'verify', '--help').stdout


def test_each_command_is_a_module_that_runs():
    for name in command._known():
        module = command._COMMANDS[name][0]
        runs = module if module.endswith('.main') else f'{module}.__main__'
        assert importlib.util.find_spec(runs) is not None, name
