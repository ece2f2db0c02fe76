"""What is measured. Each module knows one or more implementations, by the same few functions.

    load(spec: Spec) -> None         imports what it needs, sets threads
    build(spec: Spec) -> Built       the model, one cached batch, one training step

A module imports nothing but the standard library before `load`: the child's memory is counted from
after `load` on. `load` raises ImportError where a library is missing. Each peer runs with the
settings that were the fastest of several: results/performance.json has all of them (`tried`).
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

from tools.benchmark.machine import OURS


class Built(NamedTuple):
    """What `build` returns.

    `step`: takes one whole training step, waits for its end, and returns the loss. `settings`: all
    that was decided on the way and matters to a reader, JSON values.
    """

    step: Callable[[], float]
    settings: dict[str, Any]


class Implementation(NamedTuple):
    """One implementation: its module, distributions whose versions matter, models that it knows.

    `environment`: variables of its process.
    """

    module: str
    libraries: tuple[str, ...]
    models: tuple[str, ...]
    environment: dict[str, str] = {}


MODELS = ('readout', 'r', 'p', 'rp', 'plain', 'full')
NAMES = {
    'step': ('longhaul', 'keras3', 'tf_keras', 'transformer', 'torch_truncated', 'torch_full'),
    'sweep': ('longhaul', 'products'),
}
# glibc gives large blocks back to the system at once, and every step asks for the same again.
_KEEP_MEMORY = {'MALLOC_MMAP_THRESHOLD_': '33554432', 'MALLOC_TRIM_THRESHOLD_': '10000000000'}
_KNOWN = {
    'longhaul': Implementation('longhaul', OURS, MODELS),
    'transformer': Implementation('longhaul', OURS, ('transformer',)),
    'keras3': Implementation('keras_lstm', ('keras', 'tensorflow'), ('full',)),
    'tf_keras': Implementation('keras_lstm', ('tf_keras', 'tensorflow'), ('full',)),
    'torch_truncated': Implementation('torch_lstm', ('torch',), ('r', 'plain'), _KEEP_MEMORY),
    'torch_full': Implementation('torch_lstm', ('torch',), ('full',), _KEEP_MEMORY),
    'products': Implementation('products', ('tensorflow',), ('products',)),
}


def models_of(name: str, command: str, models: tuple[str, ...]) -> tuple[str, ...]:
    """The models that an implementation runs when `models` are asked for.

    One that knows a single model runs it whatever is asked of the others.
    """
    known = _KNOWN[name].models
    if len(known) == 1:
        return known
    if command == 'sweep':
        return ('sweep',)
    return tuple(model for model in models if model in known)


def libraries_of(name: str) -> tuple[str, ...]:
    """The distributions whose versions matter to an implementation of `NAMES`."""
    return _KNOWN[name].libraries


def environment_of(name: str) -> dict[str, str]:
    """The variables that the process of an implementation of `NAMES` needs."""
    return _KNOWN[name].environment


def module_of(name: str) -> ModuleType:
    """The module of an implementation of `NAMES`."""
    return importlib.import_module(f'{__name__}.{_KNOWN[name].module}')
