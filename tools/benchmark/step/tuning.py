"""The fastest way to run an implementation, out of those that its users would try."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

from tools.benchmark.rows import NOT_INSTALLED, OK, Candidate, Outcome, Spec

CandidatesOf = Callable[[Spec], list[Candidate]]


class Tuned(NamedTuple):
    """A spec with its best candidate, and all that were tried."""

    spec: Spec
    tried: list[tuple[Candidate, Outcome]]

    def notes(self) -> dict[str, Any]:
        """For the settings of a row."""
        if not self.tried:
            return {}
        tried = [
            candidate.settings() | {'status': outcome.status, 'seconds': _seconds(outcome)}
            for candidate, outcome in self.tried
        ]
        return {'tried': tried}


def tune(spec: Spec, candidates: list[Candidate], measure: Callable[[Spec], Outcome]) -> Tuned:
    """Runs each candidate once.

    Args:
      spec: of the implementation, at the length to tune at.
      candidates: at least one.
      measure: takes one measurement.

    Returns:
      The spec with the fastest candidate, the first one where none is ok.
    """
    tried: list[tuple[Candidate, Outcome]] = []
    for candidate in candidates:
        tried.append((candidate, measure(dataclasses.replace(spec, candidate=candidate))))
        if tried[-1][1].status == NOT_INSTALLED:
            break
    finished = [pair for pair in tried if pair[1].status == OK]
    best = min(finished, key=lambda pair: _seconds(pair[1]))[0] if finished else candidates[0]
    return Tuned(dataclasses.replace(spec, candidate=best), tried)


def _seconds(outcome: Outcome) -> float | None:
    """The fastest step: with one process a candidate, what disturbs one must not decide."""
    return min(outcome.seconds) if outcome.seconds else None
