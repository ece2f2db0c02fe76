"""The length of a run that is given in epochs: its steps follow from the size of the data set."""

import dataclasses
import math

from trainer.config import Config


def in_steps(config: Config, *, steps_per_epoch: int) -> Config:
    """The configuration with `train_epochs` and `validations` turned into steps.

    Args:
      config: of a run; one without them is returned as it is.
      steps_per_epoch: of the training split; 0 is taken for 1.

    Returns:
      A configuration with `train_steps` and `eval_interval`, both at least 1 where they were not
      given. The validations are spread over both phases.
    """
    run = config.run
    if run.train_epochs is not None:
        steps = max(1, round(run.train_epochs * max(1, steps_per_epoch)))
        run = dataclasses.replace(run, train_steps=steps, train_epochs=None)
    if run.validations is not None:
        interval = max(1, math.ceil(run.total_steps / run.validations))
        run = dataclasses.replace(run, eval_interval=interval, validations=None)
    return dataclasses.replace(config, run=run)
