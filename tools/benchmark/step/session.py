"""All measurements of a run, in turn, so that whatever slows the machine down slows all alike."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from tools.benchmark.step.options import Options
from tools.benchmark.step.rows import (
    FINAL,
    NOT_INSTALLED,
    OK,
    Candidate,
    Outcome,
    Row,
    Spec,
    make_row,
)
from tools.terminal import say

Measure = Callable[[Spec], Outcome]
CandidatesOf = Callable[[Spec], list[Candidate]]


class Session:
    """Length by length, repeat by repeat, one implementation after the other."""

    def __init__(self, options: Options, *, measure: Measure, candidates_of: CandidatesOf) -> None:
        """Prepares a run.

        Args:
          options: of the run.
          measure: takes one measurement.
          candidates_of: the ways to run a spec's implementation, the usual one first.
        """
        self._options, self._measure, self._candidates_of = options, measure, candidates_of
        # (implementation, model) -> why and at which length it is not started any more.
        self._stopped: dict[tuple[str, str], tuple[str, int]] = {}

    def rows(self) -> Iterator[list[Row]]:
        """Measures; yields the rows of each length, from the shortest on."""
        tuned = [self._tune(spec) for spec in self._options.specs()]
        for length in sorted(set(self._options.lengths)):
            at_length = [(dataclasses.replace(spec, length=length), notes) for spec, notes in tuned]
            outcomes = self._outcomes([spec for spec, _ in at_length])
            yield [self._row(spec, outcomes[spec.line], notes) for spec, notes in at_length]

    def _tune(self, spec: Spec) -> tuple[Spec, dict[str, Any]]:
        """Tries all candidates; returns the spec with the fastest one, and what was tried.

        The first candidate is taken where none is ok."""
        candidates = self._candidates_of(spec)
        if not self._options.tune or len(candidates) == 1:
            return dataclasses.replace(spec, candidate=candidates[0]), {}
        tried: list[dict[str, Any]] = []
        fastest: dict[float, Candidate] = {}
        for candidate in candidates:
            outcome = self._tell(dataclasses.replace(spec, candidate=candidate))
            # The fastest step counts: a disturbance of one process must not decide.
            best = min(outcome.seconds, default=None)
            tried.append(candidate.settings() | {'status': outcome.status, 'seconds': best})
            if outcome.status == OK and best is not None:
                fastest.setdefault(best, candidate)
            if outcome.status == NOT_INSTALLED:
                break
        if all(one['status'] in FINAL for one in tried):
            self._stopped[spec.line] = tried[0]['status'], spec.length
        chosen = fastest[min(fastest)] if fastest else candidates[0]
        return dataclasses.replace(spec, candidate=chosen), {'tried': tried}

    def _outcomes(self, specs: list[Spec]) -> dict[tuple[str, str], list[Outcome]]:
        """Measures all repeats at one length; returns the outcomes by line."""
        found: dict[tuple[str, str], list[Outcome]] = {spec.line: [] for spec in specs}
        for _ in range(self._options.repeats):
            for spec in specs:
                outcomes = found[spec.line]
                if spec.line in self._stopped or any(o.status != OK for o in outcomes):
                    continue
                outcome = self._tell(spec)
                outcomes.append(outcome)
                if outcome.status in FINAL:
                    self._stopped[spec.line] = outcome.status, spec.length
        return found

    def _row(self, spec: Spec, outcomes: list[Outcome], notes: dict[str, Any]) -> Row:
        missing = self._options.repeats - len(outcomes)
        if not outcomes:
            status, length = self._stopped[spec.line]
            outcomes = [Outcome(status)]
            notes = notes | {'not_started': f'not started: {status} at {length}'}
        elif missing:
            notes = notes | {'repeats_not_started': missing}
        return make_row(spec, outcomes, notes)

    def _tell(self, spec: Spec) -> Outcome:
        """Takes one measurement and prints a line of it."""
        outcome = self._measure(spec)
        took = [f'{s:.3f} s' for s in outcome.seconds]
        settings = [f'{k}={v}' for k, v in spec.candidate.settings().items()]
        what = [f'{spec.length:>7,} steps', *spec.line, outcome.status, *took, *settings]
        say('  '.join(what))
        return outcome
