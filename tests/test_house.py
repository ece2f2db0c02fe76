"""Rules of the house that a person forgets: who may import whom, and which Keras."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ('longhaul', 'pipelines', 'trainer', 'tools')
FILES = sorted(p for top in PACKAGES for p in (ROOT / top).rglob('*.py'))
# Arrows point one way: what a package never imports.
NEVER = {
    'pipelines/format': {'apache_beam', 'pipelines.job', 'pipelines.options', 'trainer', 'tools'},
    'pipelines': {'longhaul', 'trainer', 'tools', 'official', 'orbit', 'tf_keras', 'gin'},
    'trainer': {
        'apache_beam',
        'pipelines.job',
        'pipelines.options',
        'pipelines.launcher',
        'tools',
        'longhaul',
    },
    'tools': {'longhaul'},
}
# Rooms of trainer/ that a room imports; all import the door's `config` and nothing else of it.
ROOMS = {
    'bptt': set(),
    'data': set(),
    'devices': set(),
    'models': {'bptt'},
    'run_dir': {'data', 'devices'},
    'monitoring': {'bptt', 'data', 'models', 'run_dir'},
    'serving': {'bptt', 'devices', 'models', 'run_dir'},
    'training': {'bptt', 'data', 'devices', 'models', 'monitoring', 'run_dir'},
}
DOOR = {'bindings', 'commands', 'config', 'loading', 'main', 'objective_config', 'require'}


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f'{node.module}.{alias.name}' for alias in node.names}
    return found


@pytest.mark.parametrize('package', NEVER)
def test_arrows_point_one_way(package):
    inside = [f for f in FILES if f.relative_to(ROOT).as_posix().startswith(f'{package}/')]
    assert inside
    for path in inside:
        for name in imported(path):
            banned = [n for n in NEVER[package] if name == n or name.startswith(f'{n}.')]
            assert not banned, f'{path.relative_to(ROOT)} imports {name}'


def refusals() -> Iterator[tuple[str, str]]:
    """Place and text of each refusal that is written out; {} stands for what is filled in."""
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith('LonghaulError'):
                parts = getattr(node.args[0], 'values', node.args[:1])
                texts = [p.value if isinstance(p, ast.Constant) else '{}' for p in parts]
                yield f'{path.relative_to(ROOT)}:{node.lineno}', ''.join(texts)


def test_a_refusal_says_what_is_wrong_and_what_to_do():
    """Its parts stand in one order: 'SUBJECT: what is wrong; what to do', in one sentence."""
    found = [(place, text) for place, text in refusals() if text != '{}']
    assert len(found) > 200
    for place, text in found:
        assert ': ' in text or '; ' in text, f'{place}: {text}'
        assert not text.endswith(('.', '!')), f'{place}: {text}'


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_of_the_trainer_imports_its_neighbours_alone(room):
    files = sorted((ROOT / 'trainer' / room).rglob('*.py'))
    assert files
    for path in files:
        names = {n.split('.')[1] for n in imported(path) if n.startswith('trainer.')}
        extra = names - ROOMS[room] - {room, 'config'}
        assert not extra, f'{path.relative_to(ROOT)} imports trainer.{extra.pop()}'


def test_every_module_of_the_trainer_has_a_room():
    found = {p.stem if p.is_file() else p.name for p in (ROOT / 'trainer').iterdir()}
    assert found - {'__init__', '__pycache__'} == set(ROOMS) | DOOR


def test_the_configuration_knows_no_room():
    for name in ('config', 'objective_config', 'require', 'bindings'):
        for found in imported(ROOT / 'trainer' / f'{name}.py'):
            assert found.split('.')[0] != 'trainer' or found.split('.')[1] in DOOR, found


def test_keras_is_tf_keras():
    """tf.keras is Keras 3 here, and Model Garden's parts do not work with it."""
    for path in [*FILES, *(ROOT / 'tests').rglob('*.py')]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == 'keras':
                assert getattr(node.value, 'id', '') != 'tf', f'{path}:{node.lineno}: tf_keras'
        assert not {n for n in imported(path) if n.split('.')[0] == 'keras'}, path


def test_gin_files_do_not_hide_the_gin_package():
    assert not (ROOT / 'gin' / '__init__.py').exists()


def test_main_modules_hold_flags_and_nothing_else():
    for path in FILES:
        if path.name == 'main.py':
            functions = [
                n for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef)
            ]
            assert [f.name for f in functions] in ([], ['main']), path
