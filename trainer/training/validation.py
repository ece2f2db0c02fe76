"""When a phase is validated."""

from collections.abc import Callable

from trainer.training.phases import Phase


def train_and_validate(
    phase: Phase,
    *,
    interval: int,
    step: int,
    validated: list[int],
    train: Callable[[int], None],
    validate: Callable[[], None],
    is_over: Callable[[], bool],
) -> None:
    """Trains up to each validation of a phase, and validates.

    The validated steps do not depend on where a run resumes: every `interval` steps from the
    phase's first one, and at its end.

    Args:
      phase: to train.
      interval: in steps.
      step: the global step that the run stands at.
      validated: steps that need no validation again.
      train: trains until a global step.
      validate: validates at the current step.
      is_over: whether the validations so far end the phase early.
    """
    for begin in range(phase.first_step, phase.last_step, interval):
        if is_over():
            return
        target = min(begin + interval, phase.last_step)
        if target > step:
            train(target)
        if target >= step and target not in validated:
            validate()
