"""What the numbers were measured on."""

import os
import platform
from pathlib import Path

from tools.benchmark import implementations


def _cpu_model() -> str:
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(':')[2].strip() for line in lines if line.startswith('model name')]
    return names[0] if names else platform.processor() or platform.machine()


def machine_line() -> str:
    """CPU, cores that this process may use, memory."""
    memory = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return f'{_cpu_model()}, {implementations.cores()} cores, {memory / 2**30:.1f} GiB of memory'


def versions_line(names: list[str]) -> str:
    """Python, and the libraries of the implementations named; none of them is imported."""
    libraries = [x for name in names for x in implementations.module_of(name).LIBRARIES]
    found = {'Python': platform.python_version()}
    found |= implementations.versions(tuple(dict.fromkeys(libraries)))
    return ', '.join(f'{name} {version}' for name, version in found.items())
