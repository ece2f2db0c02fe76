"""How fast a phase trains and validates, and how long the rest of it takes."""

import time
from collections.abc import Sequence

# Reading an example without gradient takes at most about half of a training step's time for it.
_GUESS = 0.5


class Pace:
    """Measures the loops and validations of a phase; compiling the first step does not count."""

    def __init__(
        self,
        *,
        last_step: int,
        batch_size: int = 1,
        validations: Sequence[int] = (),
        validated: int = 0,
        evaluated: int = 0,
    ) -> None:
        """Begins to measure.

        Args:
          last_step: of the phase.
          batch_size: of a training step.
          validations: the steps at which the phase is validated.
          validated: examples of each validation.
          evaluated: examples that are evaluated once after the phase.
        """
        self._last, self._batch_size = last_step, batch_size
        self._validations, self._validated, self._evaluated = validations, validated, evaluated
        self._per_example: float | None = None
        self._since, self._step = time.monotonic(), 0

    def start(self, step: int) -> None:
        """Measures anew from a step on."""
        self._since, self._step = time.monotonic(), step

    def rate(self, step: int) -> float | None:
        """Steps a second since the last call or start; None: no step was measured."""
        since, before = self._since, self._step
        self.start(step)
        return (step - before) / max(self._since - since, 1e-9) if step > before else None

    def validation_took(self, seconds: float) -> None:
        """Notes a validation; the first one compiles, so the shortest counts."""
        found = seconds / max(1, self._validated)
        self._per_example = min(found, self._per_example or found)

    def left(self, step: int, rate: float | None) -> float | None:
        """Seconds that steps, validations and evaluations from a step on take; None: unknown."""
        if not rate:
            return None
        per_example = self._per_example or _GUESS / (rate * self._batch_size)
        validations = sum(step <= at for at in self._validations)
        examples = validations * self._validated + self._evaluated
        return (self._last - step) / rate + examples * per_example
