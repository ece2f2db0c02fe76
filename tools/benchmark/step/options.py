"""What a run of `step` or `sweep` is asked for, checked before anything starts."""

import dataclasses
from pathlib import Path

from pipelines.format.errors import LonghaulError
from tools import flags
from tools.benchmark import results
from tools.benchmark.step import implementations
from tools.benchmark.step.implementations.batches import AUXILIARY_MODELS
from tools.benchmark.step.rows import Spec
from tools.flags import flag

_NAMES = '; '.join(','.join(names) for names in implementations.NAMES.values())
_PICTURES = ('.png', '.svg', '.pdf')


@dataclasses.dataclass(frozen=True)
class Options:
    """The command and its flags; `implementations`: () for all, files: '' for none.

    Raises LonghaulError for what cannot be run.
    """

    command: str
    models: tuple[str, ...] = flag('of those that know several', implementations.MODELS)
    implementations: tuple[str, ...] = flag(f'default: all of {_NAMES}', ())
    lengths: tuple[int, ...] = flag('steps of a sequence', (784, 1024, 4096, 16384))
    batch: int = flag('sequences in a batch', 128)
    units: int = flag('width of the LSTM', 128)
    bptt_steps: int = flag('truncation of all losses, and steps of a segment', 300)
    auxiliary_steps: int = flag('steps that the auxiliary losses span', 600)
    anchors: int = flag('anchors of a sequence', 1)
    repeats: int = flag('processes for each measurement', 3)
    steps: int = flag('timed steps in a process', 2)
    memory_limit_gb: float = flag('resident memory that ends a process', 20.0)
    time_limit: float = flag('seconds that end a process', 600.0)
    json: str = flag('file for the rows', '')
    plot: str = flag('picture of the rows: .png, .svg or .pdf', '')

    def __post_init__(self) -> None:
        flags.at_least(2, batch=self.batch, auxiliary_steps=self.auxiliary_steps)
        flags.at_least(2, lengths=min(self.lengths))
        flags.at_least(1, units=self.units, bptt_steps=self.bptt_steps, anchors=self.anchors)
        flags.at_least(1, repeats=self.repeats, steps=self.steps)
        flags.above_zero(memory_limit_gb=self.memory_limit_gb, time_limit=self.time_limit)
        results.check_file('--json', self.json)
        results.check_file('--plot', self.plot)
        if self.plot and Path(self.plot).suffix not in _PICTURES:
            raise LonghaulError(
                f'--plot={self.plot}: a name that ends in {", ".join(_PICTURES)} is needed'
            )
        flags.one_of('models', self.models, implementations.MODELS)
        flags.one_of('implementations', self.implementations, self._known())
        self._check_auxiliary_steps()

    def _known(self) -> tuple[str, ...]:
        return implementations.NAMES[self.command]

    def lines(self) -> list[tuple[str, str]]:
        """Implementation and model of all that is to be measured, in the order of the flags.

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
        """One spec for each line, at the shortest length."""
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
