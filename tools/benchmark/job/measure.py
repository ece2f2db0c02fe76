"""The child's side of `job`: a run of the job, or of a plain loop."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.benchmark import memory
from tools.benchmark.in_child import Tell


def measure(asked: dict[str, Any], tell: Tell) -> None:
    """Runs the job with asked['flags'], or without flags the plain loop.

    The plain loop reads asked['folder'] and writes asked['output'], see `plain.write`.

    Tells:
      imports, work: seconds of each.
      cpu: the processor's seconds of the work, those of processes that it has started included.
      peak_bytes: resident memory at its highest.
    """
    begun = time.perf_counter()
    work = _job(asked['flags']) if 'flags' in asked else _plain(asked)
    imported, used = time.perf_counter(), _cpu()
    code = work()
    tell(
        imports=imported - begun,
        work=time.perf_counter() - imported,
        cpu=_cpu() - used,
        peak_bytes=memory.peak(),
    )
    if code:
        sys.exit(code)


def _cpu() -> float:
    """The processor's seconds of this process and of those that it has waited for."""
    return sum(os.times()[:4])


def _job(flags: list[str]) -> Callable[[], int]:
    """Imports what `python -m pipelines.main` does, at once or later; returns its work."""
    from pipelines import main

    if any(flag.startswith('--image_size') for flag in flags):
        from pipelines.job import lean

        lean.load_tensorflow()
        from pipelines.job import decoding  # noqa: F401

    return lambda: main.launcher.main(flags)


def _plain(asked: dict[str, Any]) -> Callable[[], int]:
    """Imports what the plain loop needs; returns its work."""
    import tensorflow as tf  # noqa: F401 - imports are timed apart from the work

    from tools.benchmark.job import plain

    if asked['side']:
        import PIL.Image  # noqa: F401

    def work() -> int:
        plain.write(Path(asked['folder']), asked['output'], asked['side'])
        return 0

    return work
