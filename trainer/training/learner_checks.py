"""Refuses what a `Learner` cannot take: settings, data, elements of a data set, batches."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.config import Config
from trainer.data.own import OwnData

# Names that show who has made a batch.
_NEEDED = {'inputs', 'labels', 'lengths', 'counted', 'r_anchors'}


def check(config: Config, data: OwnData, *, own: bool) -> None:
    """Refuses what a `Learner` would pass over in silence, and data of another kind.

    Args:
      config: of the run.
      data: what the sequences are.
      own: whether the caller has described them; else they are records.

    Raises:
      LonghaulError: naming the setting, or the data.
    """
    if not isinstance(data, OwnData):
        raise LonghaulError(f'data: is {type(data).__name__}; give what longhaul.describe returns')
    if config.optimizer.ema_decay is not None:
        raise LonghaulError(
            f'OptimizerConfig.ema_decay={config.optimizer.ema_decay}: a Learner keeps no averages; '
            'set it to None, or train with python -m trainer.main'
        )
    epochs, size = config.run.train_epochs, config.data.batch_size
    if epochs is not None and not data.steps_per_epoch(size):
        raise LonghaulError(
            f'RunConfig.train_epochs={epochs}: the data have no batch of {size} rows to count '
            'epochs by; set RunConfig.train_steps, or describe all sequences to train on'
        )
    objective = config.objective
    scaled = objective.auxiliary and objective.relative_losses
    if own and scaled and data.scales is None:
        raise LonghaulError(
            'ObjectiveConfig.relative_losses=True: the scales of these data are not known; give '
            'what longhaul.describe returns, or set it to False'
        )


def named(element: Any) -> dict[str, Any]:
    """An element of a data set as arguments of `Learner.batch`.

    Raises:
      LonghaulError: if it is neither a tuple nor a dict of them.
    """
    names = ('inputs', 'labels', 'lengths')
    if isinstance(element, tuple | list) and len(element) in (2, 3):
        return dict(zip(names, element, strict=False))
    fits = isinstance(element, Mapping) and 'inputs' in element
    if not fits or element.keys() - {*names, 'anchors'}:
        found = sorted(element) if isinstance(element, Mapping) else type(element).__name__
        raise LonghaulError(
            f'dataset: an element is {found}; (inputs, labels), (inputs, labels, lengths) or a '
            'dict with these names is needed'
        )
    return dict(element)


def tensors(batch: Mapping[str, Any]) -> dict[str, tf.Tensor]:
    """A batch as tensors.

    Raises:
      LonghaulError: if no `Learner` has made it.
    """
    if not isinstance(batch, Mapping) or not batch.keys() >= _NEEDED:
        raise LonghaulError(
            f'batch: is {type(batch).__name__} of other things; take what batch, from_dataset or '
            'from_records of the Learner give'
        )
    return {name: tf.convert_to_tensor(value) for name, value in batch.items()}
