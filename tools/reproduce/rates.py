"""A learning-rate range test (Smith 2017): the loss while the rate grows, step by step.

The loss falls fastest at a good rate for the start of a run. It rises again where the rate is too
large.
"""

import dataclasses
import math
from typing import Any

from pipelines.format.errors import LonghaulError
from tools.tables import table
from trainer.config import Config
from trainer.devices import execution
from trainer.training.learner import Learner

# Share of the past in the smoothed loss, and by how much it may rise before the test ends.
_SMOOTH, _RISEN = 0.9, 2.0
_ROWS = 20


@dataclasses.dataclass(frozen=True)
class RangeTest:
    """Rates, and the smoothed loss after a step at each of them."""

    rates: list[float]
    losses: list[float]

    @property
    def steepest(self) -> float:
        """The rate at which the loss falls fastest over the logarithm of the rate.

        Raises:
          LonghaulError: if the loss never fell.
        """
        falls = [
            before - after for before, after in zip(self.losses, self.losses[1:], strict=False)
        ]
        if not falls or max(falls) <= 0:
            raise LonghaulError(
                f'--low={self.rates[0]:g}: the loss falls at no rate from there on; begin lower'
            )
        return self.rates[falls.index(max(falls)) + 1]

    def __str__(self) -> str:
        every = max(1, math.ceil(len(self.rates) / _ROWS))
        pairs = list(zip(self.rates, self.losses, strict=True))[::every]
        rows = [[f'{rate:.2e}', f'{loss:.4f}'] for rate, loss in pairs]
        return table(
            ['learning rate', 'loss, smoothed'], rows, right=['loss, smoothed'], padded=True
        )


def range_test(config: Config, *, low: float, high: float, steps: int) -> RangeTest:
    """Trains from the initial weights while the rate grows from `low` to `high`; saves nothing.

    Args:
      config: of the run; its schedule and warm-up do not count.
      low: the first rate.
      high: the last one.
      steps: to take; the test ends early when the loss has risen to twice its least value.

    Raises:
      LonghaulError: for records that do not fit, or a range that is none.
    """
    if not (0 < low < high < math.inf) or steps < 2:
        raise LonghaulError(
            f'--low={low:g} --high={high:g} --steps={steps}: 0 < low < high and at least 2 steps '
            'are needed'
        )
    how = execution.prepare(config, tpu=False)
    execution.start_compiler(how)
    learner = Learner(_growing(config, low=low, high=high, steps=steps), execution=how)
    rates: list[float] = []
    losses: list[float] = []
    mean = 0.0
    for step, batch in zip(range(steps), learner.from_records('train'), strict=False):
        loss = _loss(learner, batch)
        if loss is None:
            break
        mean = _SMOOTH * mean + (1 - _SMOOTH) * loss
        rates.append(low * (high / low) ** (step / (steps - 1)))
        losses.append(mean / (1 - _SMOOTH ** (step + 1)))
        if losses[-1] > _RISEN * min(losses):
            break
    if not rates:
        raise LonghaulError(
            f'--low={low:g}: the loss of the first step is not finite, or too large; begin lower, '
            'or look at RunConfig.skip_loss_above'
        )
    return RangeTest(rates, losses)


def _growing(config: Config, *, low: float, high: float, steps: int) -> Config:
    optimizer = dataclasses.replace(
        config.optimizer,
        learning_rate=low,
        schedule='exponential',
        decay_steps=steps - 1,
        decay_rate=high / low,
        warmup_steps=0,
    )
    return dataclasses.replace(config, optimizer=optimizer)


def _loss(learner: Learner, batch: Any) -> float | None:
    """The loss of a step; None if it is not finite any more: the rate has become too large."""
    try:
        return learner.step(batch)['loss']
    except FloatingPointError:
        return None
