"""Budgets: how long a run may train, in epochs or in minutes, pre-training counted."""

import dataclasses
import re

from pipelines.format.errors import LonghaulError


@dataclasses.dataclass(frozen=True)
class Budget:
    """An amount of 'epochs' or 'minutes'."""

    amount: float
    unit: str

    def __str__(self) -> str:
        return f'{self.amount:g}{self.unit}'


def parse_budget(text: str) -> Budget:
    """'5epochs', '1epoch', '20minutes' -> a budget.

    Raises:
      LonghaulError: for anything else.
    """
    match = re.fullmatch(r'(\d+\.?\d*|\.\d+) *(epoch|minute)s?', text.strip())
    if not match or float(match[1]) == 0:
        raise LonghaulError(
            f'--budget={text}: an amount of epochs or minutes is needed, such as 5epochs, '
            '0.5epochs or 20minutes'
        )
    return Budget(float(match[1]), match[2] + 's')


@dataclasses.dataclass(frozen=True)
class Steps:
    """Steps of a run's two phases."""

    pretrain: int
    train: int

    @property
    def total(self) -> int:
        """Steps of both phases."""
        return self.pretrain + self.train

    def scaled(self, total: int) -> 'Steps':
        """Cuts both phases in proportion to `total` steps, of which there is at least one."""
        total = max(1, min(total, self.total))
        pretrain = round(total * self.pretrain / self.total)
        return Steps(pretrain, total - pretrain)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Steps a second of a run's two phases, measured."""

    pretrain: float
    train: float


def scale(
    steps: Steps, budget: Budget | None, *, steps_per_epoch: int, rates: Rates | None = None
) -> Steps:
    """What a budget leaves of a run; never more than the run itself asks for.

    Args:
      steps: that the run asks for.
      budget: None: no limit.
      steps_per_epoch: of the training split.
      rates: needed for minutes alone. Validations are not counted.
    """
    if budget is None or steps.total == 0:
        return steps
    if budget.unit == 'epochs':
        return steps.scaled(round(budget.amount * steps_per_epoch))
    if rates is None:
        raise ValueError(f'rates: are needed for a budget in minutes such as {budget}')
    seconds = steps.pretrain / rates.pretrain + steps.train / rates.train
    return steps.scaled(int(steps.total * min(1.0, budget.amount * 60 / seconds)))
