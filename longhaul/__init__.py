"""Longhaul from Python: docs/python.md shows every name here in use.

A name is imported when it is first asked for: TensorFlow takes seconds, `longhaul --help` none.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipelines.format.errors import LonghaulError as LonghaulError
    from tools.predict.model import ExportedModel as ExportedModel
    from tools.predict.streams import ExportedStream as ExportedStream
    from trainer.config import Config as Config
    from trainer.data.own import describe as describe
    from trainer.loading import export_run as export_run
    from trainer.loading import load_config as load_config
    from trainer.loading import load_run as load_run
    from trainer.monitoring.memory_curve import memory_curve as memory_curve
    from trainer.training.learner import Learner as Learner

_PLACES = {
    'Config': 'trainer.config',
    'ExportedModel': 'tools.predict.model',
    'ExportedStream': 'tools.predict.streams',
    'Learner': 'trainer.training.learner',
    'LonghaulError': 'pipelines.format.errors',
    'describe': 'trainer.data.own',
    'export_run': 'trainer.loading',
    'load_config': 'trainer.loading',
    'load_run': 'trainer.loading',
    'memory_curve': 'trainer.monitoring.memory_curve',
}
__all__ = sorted(_PLACES)  # noqa: PLE0605 - the names above


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f'longhaul has no {name!r}; it has {", ".join(__all__)}')
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
