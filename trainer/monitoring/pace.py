"""How fast a phase trains and validates, and how long the rest of it takes."""

import time

# Reading an example without gradient takes at most about half of a training step's time for it.
_GUESS = 0.5


class Pace:
    """Measures the loops and validations of a phase; compiling the first step does not count."""

    def __init__(
        self,
        *,
        last_step: int,
        batch_size: int = 1,
        first_step: int = 0,
        interval: int | None = None,
        validated: int = 0,
        evaluated: int = 0,
    ) -> None:
        """Begins to measure.

        Args:
          last_step: of the phase.
          batch_size: of a training step.
          first_step: of the phase.
          interval: in steps, between validations; the last one is at the end. None: there are none.
          validated: examples of each validation.
          evaluated: examples that are evaluated once after the phase.
        """
        self._first, self._last, self._interval = first_step, last_step, interval
        self._batch_size, self._validated, self._evaluated = batch_size, validated, evaluated
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
        examples = self._validations_from(step) * self._validated + self._evaluated
        return (self._last - step) / rate + examples * per_example

    def _validations_from(self, step: int) -> int:
        """The validations at this step and later."""
        if self._interval is None:
            return 0
        all_of_them = -(-(self._last - self._first) // self._interval)
        return all_of_them - max(0, step - 1 - self._first) // self._interval
