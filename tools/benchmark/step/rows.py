"""What is measured, what came of it, and the row that tells of both."""

import dataclasses
import signal
import statistics
from typing import Any

from tools.benchmark.child import Ended
from tools.terminal import last_line

OK = 'ok'
OUT_OF_MEMORY = 'out of memory'
OUT_OF_TIME = 'out of time'
NOT_INSTALLED = 'not installed'
# After these, longer sequences are not even tried.
FINAL = (OUT_OF_MEMORY, OUT_OF_TIME, NOT_INSTALLED)
_EXCEEDED = {'memory': OUT_OF_MEMORY, 'time': OUT_OF_TIME}
_NOT_INSTALLED = ('ImportError', 'ModuleNotFoundError')
# What libraries say when they are refused memory.
_MEMORY_WORDS = (
    'bad_alloc',
    'MemoryError',
    'ResourceExhausted',
    'not enough memory',
    "can't allocate memory",
)


@dataclasses.dataclass(frozen=True)
class Spec:
    """One measurement: all that a child process needs to know.

    `length`: steps T of a sequence. `bptt_steps`: truncation S of all losses. `auxiliary_steps`: L.
    `steps`: timed training steps after the first one.
    """

    command: str
    implementation: str
    model: str
    length: int
    batch: int
    units: int
    bptt_steps: int
    auxiliary_steps: int
    anchors: int
    steps: int

    @property
    def line(self) -> tuple[str, str]:
        """Implementation and model: a line in a plot is of these."""
        return self.implementation, self.model

    def settings(self) -> dict[str, Any]:
        """Sizes in one dict, for a row."""
        names = ('units', 'bptt_steps', 'auxiliary_steps', 'anchors')
        return {name: getattr(self, name) for name in names}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of one child process.

    `seconds`: of each timed step. `peak_bytes`: resident memory at its highest, less what was
    resident before the model was built; None if unknown. `settings`: what the child told.
    """

    status: str
    seconds: list[float] = dataclasses.field(default_factory=list)
    peak_bytes: int | None = None
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


def outcome_of(ended: Ended) -> Outcome:
    """Makes the outcome of a child that has ended, well or not."""
    told = ended.told
    peak = told.get('peak_bytes')
    if peak is None and 'before_bytes' in told:
        peak = max(0, ended.highest_bytes - told['before_bytes'])
    errors = {'error': told['error']} if 'error' in told else {}
    settings = told.get('settings', {}) | errors
    return Outcome(_status(ended), told.get('seconds', []), peak, settings)


def _status(ended: Ended) -> str:
    if ended.exceeded:
        return _EXCEEDED[ended.exceeded]
    if 'done' in ended.told:
        return OK
    error = ended.told.get('error')
    if error and error.startswith(_NOT_INSTALLED):
        return NOT_INSTALLED
    texts = [error] if error else ended.said.splitlines()[-5:]
    if ended.code == -signal.SIGKILL or any(w in text for w in _MEMORY_WORDS for text in texts):
        return OUT_OF_MEMORY
    killed = f'{signal.Signals(-ended.code).name}: ' if ended.code < 0 else ''
    return f'failed: {killed}{error or last_line(ended.said)}'


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the result; `seconds` and `peak_bytes` are medians, None where unknown."""

    command: str
    model: str
    implementation: str
    length: int
    batch: int
    seconds: float | None
    seconds_all: list[float]
    peak_bytes: int | None
    status: str
    settings: dict[str, Any]

    @property
    def line(self) -> tuple[str, str]:
        """Implementation and model."""
        return self.implementation, self.model


def make_row(spec: Spec, outcomes: list[Outcome], notes: dict[str, Any]) -> Row:
    """Sums up all repeats of one measurement.

    Args:
      spec: what was measured.
      outcomes: of the repeats, at least one; one that is not ok decides the status.
      notes: further settings.

    Returns:
      Medians over all steps of all repeats; no seconds unless all repeats are ok.
    """
    failed = [o for o in outcomes if o.status != OK]
    seconds = [s for o in outcomes for s in o.seconds]
    peaks = [o.peak_bytes for o in failed or outcomes if o.peak_bytes is not None]
    settings = spec.settings() | notes
    for outcome in outcomes:
        settings |= outcome.settings
    return Row(
        command=spec.command,
        model=spec.model,
        implementation=spec.implementation,
        length=spec.length,
        batch=spec.batch,
        seconds=None if failed or not seconds else statistics.median(seconds),
        seconds_all=seconds,
        peak_bytes=round(statistics.median(peaks)) if peaks else None,
        status=failed[0].status if failed else OK,
        settings=settings,
    )
