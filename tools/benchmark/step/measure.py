"""One measurement: `python -m tools.benchmark.child SPEC`, SPEC being `rows.Spec` as JSON.

Prints JSON objects, one a line, as it goes:

    {"before_bytes": 5}    resident memory before the model is built
    {"settings": {}}       what matters to a reader of the result
    {"seconds": 0.5}       of each timed step
    {"peak_bytes": 9}      resident memory at its highest, less what was there before
    {"status": "ok"}       or 'out of memory', 'not installed', 'failed: ...'
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.benchmark import implementations
from tools.benchmark.process import MEMORY_WORDS, resident_bytes
from tools.benchmark.rows import NOT_INSTALLED, OK, OUT_OF_MEMORY, Spec

_PR_SET_PDEATHSIG = 1
# Variables that change how fast libraries are.
_TELLING = (
    'XLA_',
    'TF_XLA_',
    'TF_ENABLE_',
    'TF_NUM_',
    'OMP_',
    'GOMP_',
    'MKL_',
    'MALLOC_',
    'KERAS_',
)

Tell = Callable[..., None]


def measure(spec: Spec, tell: Tell) -> None:
    """Takes one untimed step and `spec.steps` timed ones.

    Args:
      spec: of the measurement.
      tell: takes what is known, by name, see the module.
    """
    module = implementations.module_of(spec.implementation)
    module.load(spec)
    _forget_peak()
    before = resident_bytes()
    tell(before_bytes=before)
    started = time.perf_counter()
    built = module.build(spec)
    built.step()
    first = round(time.perf_counter() - started, 3)
    known = {
        'first_step_seconds': first,
        'versions': implementations.versions(module.LIBRARIES),
        'environment': {k: v for k, v in os.environ.items() if k.startswith(_TELLING)},
    }
    tell(settings=built.settings | known)
    for _ in range(spec.steps):
        started = time.perf_counter()
        loss = built.step()
        tell(seconds=time.perf_counter() - started)
    tell(settings={'loss': loss}, peak_bytes=max(0, _peak_bytes() - before))


def _forget_peak() -> None:
    """So that what an import needed for a moment is not taken for the model's."""
    with contextlib.suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')


def _peak_bytes() -> int:
    """The most memory that this process has had in RAM."""
    # Not ru_maxrss where it can be helped: a new process inherits its parent's.
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def status_of(error: BaseException) -> str:
    """What a row says of an exception."""
    text = f'{type(error).__name__}: {error}'.strip()
    if isinstance(error, ImportError):
        return NOT_INSTALLED
    if isinstance(error, MemoryError) or any(word in text for word in MEMORY_WORDS):
        return OUT_OF_MEMORY
    return f'failed: {text.splitlines()[0][:300]}'


def _own_stdout() -> Tell:
    """What any library prints goes to stderr from here on: stdout holds JSON lines alone."""
    channel = os.fdopen(os.dup(1), 'w')
    os.dup2(2, 1)

    def tell(**values: Any) -> None:
        channel.write(json.dumps(values) + '\n')
        channel.flush()

    return tell


def main() -> int:
    """Measures what the first argument says; returns the exit code."""
    # Nobody else would stop it, were its parent killed.
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    tell = _own_stdout()
    try:
        measure(Spec.from_json(json.loads(sys.argv[1])), tell)
        tell(status=OK)
    except Exception as error:
        traceback.print_exc()
        tell(status=status_of(error), settings={'error': f'{type(error).__name__}: {error}'[:1000]})
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
