"""Arrows point one way: format never imports Beam, pipelines never imports trainer or tools.

That a whole job loads no trainer is seen in test_main.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Every module of the package is imported, so that none is forgotten.
CHILD = """
import importlib, pkgutil, sys
import pipelines.format
names = [m.name for m in pkgutil.walk_packages(pipelines.format.__path__, 'pipelines.format.')]
for name in names:
    importlib.import_module(name)
assert len(names) >= 6, names
print('loaded', *sorted({m.partition('.')[0] for m in sys.modules}))
"""


def test_format_loads_no_beam():
    found = subprocess.run(
        [sys.executable, '-c', CHILD],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': '', 'CUDA_VISIBLE_DEVICES': ''},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert found.returncode == 0, found.stderr
    loaded = set(found.stdout.splitlines()[-1].split())
    assert {'tensorflow', 'numpy', 'pipelines'} <= loaded
    assert not {'apache_beam', 'trainer', 'tools', 'tf_keras', 'official', 'gin'} & loaded


def imported(path: Path) -> set[str]:
    """Modules that a file imports anywhere, in functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module} | {f'{node.module}.{alias.name}' for alias in node.names}
    return names


def test_no_file_imports_what_is_above_it():
    files = sorted((ROOT / 'pipelines').rglob('*.py'))
    assert len(files) > 20
    for path in files:
        banned = {'trainer', 'tools', 'gin', 'tf_keras', 'official'}
        names = imported(path)
        if path.parent.name == 'format':
            banned |= {'apache_beam'}
            assert not any(n.startswith(('pipelines.job', 'pipelines.options')) for n in names), (
                path
            )
        assert not banned & {name.partition('.')[0] for name in names}, path
        assert 'tensorflow.keras' not in names
