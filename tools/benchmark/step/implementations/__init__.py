"""What is measured: one module for each implementation, with the same few functions.

    LIBRARIES: tuple[str, ...]                      distributions whose versions matter
    candidates(spec: Spec) -> list[Candidate]       what --tune tries; --no-tune takes the first
    load(spec: Spec) -> None                        imports what it needs, sets threads
    build(spec: Spec) -> Built                      the model, one cached batch, one training step

A module imports nothing but the standard library before `load`: the parent process asks it for
candidates, and the child's memory is counted from after `load` on. `load` raises ImportError where
a library is missing.
"""

import importlib
import importlib.metadata
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple


class Built(NamedTuple):
    """What `build` returns.

    `step`: takes one whole training step, waits for its end, and returns the loss. `settings`: all
    that was decided on the way and matters to a reader, JSON values.
    """

    step: Callable[[], float]
    settings: dict[str, Any]


MODELS = ('r', 'p', 'rp', 'readout', 'plain', 'full')
NAMES = {
    'step': ('longhaul', 'keras3', 'tf_keras', 'transformer', 'torch_truncated', 'torch_full'),
    'sweep': ('longhaul', 'products'),
}
_MODULES = {'keras3': 'keras3_lstm', 'tf_keras': 'tf_keras_lstm'}
# Those that know one model run it whatever models are asked of the others.
_ONLY = {
    'keras3': 'full',
    'tf_keras': 'full',
    'transformer': 'transformer',
    'torch_full': 'full',
    'products': 'products',
}
_SEVERAL = {'longhaul': MODELS, 'torch_truncated': ('r', 'plain')}


def models_of(name: str, command: str, models: tuple[str, ...]) -> tuple[str, ...]:
    """The models that an implementation runs when `models` are asked for."""
    if name in _ONLY:
        return (_ONLY[name],)
    if command == 'sweep':
        return ('sweep',)
    return tuple(model for model in models if model in _SEVERAL[name])


def module_of(name: str) -> ModuleType:
    """The module of an implementation of `NAMES`."""
    return importlib.import_module(f'{__name__}.{_MODULES.get(name, name)}')


def versions(libraries: tuple[str, ...]) -> dict[str, str]:
    """Versions of distributions, 'not installed' where one is missing; imports none of them."""
    found = {}
    for library in libraries:
        try:
            found[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found[library] = 'not installed'
    return found


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0))
