"""How long a run takes on this machine: a few steps of each phase are taken and forgotten."""

import time
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.monitoring.progress import duration
from trainer.training.loop import PhaseTrainer
from trainer.training.optimizers import make_optimizer
from trainer.training.phase import make_pace
from trainer.training.phases import Phase, phases
from trainer.training.splits import Splits
from trainer.training.state import TrainedState
from trainer.training.task import InputRequest

# Batches that are measured. Of documents they have different lengths, each of which is compiled.
_BATCHES = 4


def describe_time(splits: Splits, state: TrainedState) -> str:
    """Measures, in the strategy's scope; nothing is written, and the weights are of no use then.

    Args:
      splits: of the run.
      state: its variables; a few steps change them.

    Returns:
      Text for the terminal: a line for each phase, and the total with validations and evaluation.

    Raises:
      LonghaulError: for a batch that training would leave out.
    """
    lines, total = [], 0.0
    for phase in phases(splits.config.run):
        compiling, step = _measure(phase, splits, state)
        pace = make_pace(phase, splits, validated=True)
        left = (pace.left(phase.first_step, 1 / max(step, 1e-9)) or 0.0) + compiling
        steps = phase.last_step - phase.first_step
        lines.append(
            f'{phase.name:<10}{steps:,} steps of {step:.3g} s, compiling {compiling:.0f} s; '
            f'{duration(left)} with its validations'
        )
        total += left
    lines.append(f'in all {duration(total)}, measured over {_BATCHES} steps on this machine now')
    return 'Time\n' + '\n'.join(f'  {line}' for line in lines)


def _measure(phase: Phase, splits: Splits, state: TrainedState) -> tuple[float, float]:
    """Seconds that compiling takes, and seconds of a step."""
    config = splits.config
    optimizer = make_optimizer(config.optimizer, phase_steps=phase.last_step - phase.first_step)
    optimizer.build(state.model.trainable_variables)
    split = splits.split('train')
    share = config.data.labelled_share if phase.supervised else None
    order = split.order(config.data.batch_size, labelled_share=share)
    trainer = PhaseTrainer(
        splits.task(supervised=phase.supervised),
        model=state.model,
        optimizer=optimizer,
        global_step=state.global_step,
        dataset=_twice(iter(splits.batches(InputRequest(split, order, phase.first_step)))),
        skip=_refuse,
    )
    first, second = 0.0, 0.0
    for _ in range(_BATCHES):
        first += _seconds(trainer)
        second += _seconds(trainer)
    return max(0.0, first - second), second / _BATCHES


def _refuse(positions: list[int], step: int) -> None:
    # Whether the next batch is better is not known, and a measurement has to end.
    raise LonghaulError(
        f'--measure: the loss or the gradient of batch {positions[0]} is not finite, or too large; '
        'leave --measure out, lower OptimizerConfig.learning_rate, or raise '
        'RunConfig.skip_loss_above'
    )


def _twice(batches: Iterator[Any]) -> Iterator[Any]:
    """Each batch two times: a shape is compiled at the first one, and measured at the second."""
    for batch in batches:
        yield batch
        yield batch


def _seconds(trainer: PhaseTrainer) -> float:
    began = time.monotonic()
    trainer.train(tf.constant(1))
    return time.monotonic() - began
