"""What a run of the benchmark is asked for, checked before anything starts."""

import dataclasses
import math
from pathlib import Path

from pipelines.format.errors import LonghaulError
from tools.benchmark import implementations
from tools.benchmark.implementations.batches import AUXILIARY_MODELS
from tools.benchmark.rows import Spec

_PICTURES = ('.png', '.svg', '.pdf')
_LEAST = {
    'batch': 2,
    'units': 1,
    'bptt_steps': 1,
    'auxiliary_steps': 2,
    'anchors': 1,
    'repeats': 1,
    'steps': 1,
}


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags, by name; `implementations` None: all that know one of the models.

    `json_file`, `plot_file`: '' writes none. Raises LonghaulError for what cannot be run.
    """

    command: str
    lengths: tuple[int, ...] = (784, 1024, 4096, 16384)
    models: tuple[str, ...] = ('r', 'p', 'rp', 'plain', 'full')
    implementations: tuple[str, ...] | None = None
    batch: int = 128
    units: int = 128
    bptt_steps: int = 300
    auxiliary_steps: int = 600
    anchors: int = 1
    repeats: int = 3
    steps: int = 2
    memory_limit_gb: float = 20
    time_limit: float = 600
    tune: bool = True
    json_file: str = ''
    plot_file: str = ''

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            _require(f'--{name}', getattr(self, name), least=least)
        for length in self.lengths:
            _require('--lengths', length, least=2)
        for name in ('memory_limit_gb', 'time_limit'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise LonghaulError(f'--{name}={value:g}: a number above 0 is needed')
        _check_file('--json', self.json_file)
        _check_file('--plot', self.plot_file)
        if self.plot_file and Path(self.plot_file).suffix not in _PICTURES:
            raise LonghaulError(
                f'--plot={self.plot_file}: a name that ends in {", ".join(_PICTURES)} is needed'
            )
        _check_names('--models', self.models, implementations.MODELS)
        _check_names('--implementations', self.implementations or (), self._known())
        self._check_auxiliary_steps()

    def _known(self) -> tuple[str, ...]:
        return implementations.NAMES[self.command]

    def lines(self) -> list[tuple[str, str]]:
        """(implementation, model) of all that is to be measured, in the order of the flags.

        Raises:
          LonghaulError: if an implementation that was asked for knows none of the models.
        """
        found = []
        for name in self.implementations or self._known():
            models = implementations.models_of(name, self.command, self.models)
            if not models and self.implementations:
                knows = implementations.models_of(name, self.command, implementations.MODELS)
                raise LonghaulError(
                    f'--models={",".join(self.models)}: {name} knows {", ".join(knows)}; add one '
                    'of them, or leave it out of --implementations'
                )
            found += [(name, model) for model in models]
        return found

    def specs(self) -> list[Spec]:
        """One for each line, at the shortest length."""
        names = ('command', 'batch', 'units', 'bptt_steps', 'auxiliary_steps', 'anchors', 'steps')
        shared = {name: getattr(self, name) for name in names}
        length = min(self.lengths)
        return [Spec(implementation=i, model=m, length=length, **shared) for i, m in self.lines()]

    def _check_auxiliary_steps(self) -> None:
        shortest = min(self.lengths)
        used = any(model in AUXILIARY_MODELS for _, model in self.lines())
        if used and self.auxiliary_steps >= shortest:
            raise LonghaulError(
                f'--auxiliary_steps={self.auxiliary_steps}: fewer than the {shortest} steps of the '
                f'shortest of --lengths are needed; {max(2, shortest // 4)} would do'
            )


def _require(flag: str, value: int, *, least: int) -> None:
    if value < least:
        raise LonghaulError(f'{flag}={value}: a whole number >= {least} is needed')


def _check_names(flag: str, names: tuple[str, ...], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            raise LonghaulError(f'{flag}={name}: name some of {", ".join(known)}')


def _check_file(flag: str, name: str) -> None:
    if name and not Path(name).absolute().parent.is_dir():
        raise LonghaulError(f'{flag}={name}: there is no such folder; create it first')
    if name and Path(name).is_dir():
        raise LonghaulError(f'{flag}={name}: is a folder; name a file in it')
