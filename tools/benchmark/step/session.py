"""All measurements of a run, in turn, so that whatever slows the machine down slows all alike."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from tools.benchmark.options import Options
from tools.benchmark.rows import FINAL, OK, Outcome, Row, Spec, make_row
from tools.benchmark.tuning import CandidatesOf, Tuned, tune

Measure = Callable[[Spec], Outcome]


class Session:
    """Length by length, repeat by repeat, one implementation after the other."""

    def __init__(
        self,
        options: Options,
        *,
        measure: Measure,
        candidates_of: CandidatesOf,
        say: Callable[[str], None],
    ) -> None:
        """Prepares a run.

        Args:
          options: of the run.
          measure: takes one measurement.
          candidates_of: the ways to run a spec's implementation.
          say: takes lines that tell how far it is.
        """
        self._options, self._measure = options, measure
        self._candidates_of, self._say = candidates_of, say
        # (implementation, model) -> why and at which length it is not started any more.
        self._stopped: dict[tuple[str, str], tuple[str, int]] = {}

    def rows(self) -> Iterator[list[Row]]:
        """Measures; yields the rows of each length, from the shortest on."""
        tuned = [self._tune(spec) for spec in self._options.specs()]
        for length in sorted(set(self._options.lengths)):
            specs = [dataclasses.replace(t.spec, length=length) for t in tuned]
            outcomes = self._outcomes(specs)
            yield [
                self._row(spec, outcomes[spec.line], t.notes())
                for spec, t in zip(specs, tuned, strict=True)
            ]

    def _tune(self, spec: Spec) -> Tuned:
        candidates = self._candidates_of(spec)
        if not self._options.tune or len(candidates) == 1:
            return Tuned(dataclasses.replace(spec, candidate=candidates[0]), [])
        tuned = tune(spec, candidates, self._tell)
        statuses = [outcome.status for _, outcome in tuned.tried]
        if all(status in FINAL for status in statuses):
            self._stopped[spec.line] = statuses[0], spec.length
        return tuned

    def _outcomes(self, specs: list[Spec]) -> dict[tuple[str, str], list[Outcome]]:
        """Of all repeats at one length."""
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
        outcome = self._measure(spec)
        took = [f'{s:.3f} s' for s in outcome.seconds]
        settings = [f'{k}={v}' for k, v in spec.candidate.settings().items()]
        what = [f'{spec.length:>7,} steps', *spec.line, outcome.status, *took, *settings]
        self._say('  '.join(what))
        return outcome
