"""The child's side of `step`: one implementation, one untimed step and some timed ones."""

import os
import time
from typing import Any

from tools.benchmark import machine, memory
from tools.benchmark.in_child import Tell
from tools.benchmark.step import implementations
from tools.benchmark.step.rows import Spec

# Variables that change how fast libraries are.
_TELLING = ('XLA_', 'TF_', 'OMP_', 'GOMP_', 'MKL_', 'MALLOC_', 'KERAS_')


def measure(asked: dict[str, Any], tell: Tell) -> None:
    """Measures what `asked` says, a `Spec` as JSON.

    Tells, as it goes:
      before_bytes: resident memory before the model is built.
      settings: what matters to a reader of the result.
      seconds: of the timed steps so far.
      peak_bytes: resident memory at its highest, less what was there before.
    """
    spec = Spec(**asked)
    module = implementations.module_of(spec.implementation)
    module.load(spec)
    memory.forget_peak()
    before = memory.resident()
    tell(before_bytes=before)
    started = time.perf_counter()
    built = module.build(spec)
    built.step()
    settings = built.settings | {
        'first_step_seconds': round(time.perf_counter() - started, 3),
        'versions': machine.versions(implementations.libraries_of(spec.implementation)),
        'environment': {k: v for k, v in os.environ.items() if k.startswith(_TELLING)},
    }
    tell(settings=settings)
    seconds: list[float] = []
    for _ in range(spec.steps):
        started = time.perf_counter()
        loss = built.step()
        seconds.append(time.perf_counter() - started)
        tell(seconds=seconds)
    tell(settings=settings | {'loss': loss}, peak_bytes=max(0, memory.peak() - before))
