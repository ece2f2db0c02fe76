"""When a phase is validated."""

from collections.abc import Callable

from trainer.training.phases import Phase


def validated_steps(phase: Phase, interval: int) -> list[int]:
    """The steps at which a phase is validated, wherever a run resumes.

    Every `interval` steps from the phase's first one, and at its end.
    """
    begins = range(phase.first_step, phase.last_step, interval)
    return [min(begin + interval, phase.last_step) for begin in begins]


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

    Args:
      phase: to train.
      interval: in steps.
      step: the global step that the run stands at.
      validated: steps that need no validation again.
      train: trains until a global step.
      validate: validates at the current step.
      is_over: whether the validations so far end the phase early.
    """
    for target in validated_steps(phase, interval):
        if is_over():
            return
        if target > step:
            train(target)
        if target >= step and target not in validated:
            validate()
