"""Environments of their own for what is installed in them; packages come from the registry."""

import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS = ROOT / 'constraints.txt'


def make(folder: Path, *requirements: str) -> Path:
    """A new environment with some requirements as constraints.txt pins them; its Python."""
    venv.create(folder, with_pip=True)
    python = folder / 'bin' / 'python'
    install(python, '-c', str(CONSTRAINTS), *requirements)
    return python


def install(python: Path, *arguments: str) -> None:
    """By uv where it can be had (seconds), else by pip (minutes)."""
    beside = Path(sys.executable).with_name('uv')
    uv = str(beside) if beside.exists() else shutil.which('uv')
    command = [uv, 'pip', 'install', '-p'] if uv else [sys.executable, '-m', 'pip', '--python']
    command = [*command, str(python), *([] if uv else ['install']), '-q', *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def run(
    python: Path | str,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str] = {},  # noqa: B006 - read only
) -> subprocess.CompletedProcess[str]:
    """Runs a Python that finds nothing but what is installed for it, and what lies in `cwd`."""
    clean: dict[str, str] = {k: v for k, v in os.environ.items() if not k.startswith('PYTHON')}
    command: Sequence[str] = [str(python), *arguments]
    return subprocess.run(
        command, cwd=cwd, env=clean | dict(env), capture_output=True, text=True, check=False
    )


def uninstall(python: Path, package: str) -> None:
    command = [str(python), '-m', 'pip', 'uninstall', '-q', '-y', package]
    subprocess.run(command, check=True, capture_output=True)
