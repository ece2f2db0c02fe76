"""What the machine is, and which libraries it has."""

import importlib.metadata
import os
import platform
from collections.abc import Iterable
from pathlib import Path

# Distributions that the trainer computes with.
OURS = ('tensorflow', 'tf_keras', 'tf-models-official')


def cores() -> int:
    """The number of processor cores that this process may use."""
    return len(os.sched_getaffinity(0))


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Versions of distributions, 'not installed' where one is missing; imports none of them."""
    found = {}
    for library in libraries:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = 'not installed'
    return found


def about(libraries: Iterable[str] = OURS) -> str:
    """Describes the machine in one line, and versions of Python and distributions in another."""
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30
    found = {'Python': platform.python_version()} | versions(libraries)
    said = ', '.join(f'{name} {version}' for name, version in found.items())
    return f'{_processor()}, {cores()} cores, {memory:.1f} GiB of memory\n{said}'


def _processor() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()
