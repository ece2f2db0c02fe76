"""Losses of the states at anchors, by name: a module each, and a line in `ANCHOR_LOSSES`.

Their windows are those of readouts: `anchors_per_window` anchors in each of `anchors_per_sequence`
windows of `auxiliary_bptt_steps` steps. Truncation, sweeps, metrics and gradient norms are the
objective's; a loss sees states and says what they cost.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.bptt.sequences import Sequences
from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.batch import supervised_losses
from trainer.models.layers import Classifier, Initializer
from trainer.models.readout_anchors import ReadoutAnchors


class AnchorStates(NamedTuple):
    """What a loss is computed from; n anchors a row, rows of one anchor beside each other.

    `hidden`: [n*B, U], the states at the anchors, with gradient. `anchors`: where they stand;
    `anchors.asked` gives true steps at distances from them. `sequences`: of the batch. `labels`:
    int32 [n*B], -1 for none. `classifier`: the model's. `dropconnect`: its mask, or None. `part`:
    what `AnchorLoss.build` has made.
    """

    hidden: tf.Tensor
    anchors: ReadoutAnchors
    sequences: Sequences
    labels: tf.Tensor
    classifier: Classifier
    dropconnect: tf.Tensor | None
    part: Any


@dataclasses.dataclass(frozen=True)
class AnchorLoss:
    """A loss of the states at anchors.

    Attributes:
      losses: AnchorStates -> [n*B]; the objective takes the mean over each row's anchors.
      build: makes the variables of the loss: (initial values, sizes, input rows C or V) -> a
        tf.Module. None: it has none.
      supervised: whether it needs labels: such a loss waits for the joint phase, and rows without
        a label do not count in its mean.
    """

    losses: Callable[[AnchorStates], tf.Tensor]
    build: Callable[[Initializer, ModelConfig, int], tf.Module] | None = None
    supervised: bool = False


def _replication(states: AnchorStates) -> tf.Tensor:
    """The supervised loss at the anchors (target replication, Lipton et al. 2016, section 3)."""
    logits = states.classifier(states.hidden, states.dropconnect)
    return supervised_losses(logits, states.labels)


# By the name in `ObjectiveConfig.anchor_losses`; 'replication' also has `replication_weight`.
ANCHOR_LOSSES: dict[str, AnchorLoss] = {
    'replication': AnchorLoss(_replication, supervised=True),
}


# Other losses and averages have these names.
_TAKEN = ('supervised', 'reconstruction', 'prediction', 'auxiliary')


def register(name: str, loss: AnchorLoss) -> None:
    """Adds a loss from outside of Longhaul: a gin file that says `import MODULE` runs the module.

    Raises:
      LonghaulError: if another loss has this name, or it cannot be one.
    """
    if not name.isidentifier() or name in _TAKEN:
        raise LonghaulError(
            f'anchor loss {name!r}: cannot be a name; letters, digits and _ are allowed, and '
            f'{", ".join(_TAKEN)} are taken'
        )
    if ANCHOR_LOSSES.setdefault(name, loss) is not loss:
        raise LonghaulError(f'anchor loss {name!r}: the name is taken; choose another one')


def modules_of(config: ObjectiveConfig) -> dict[str, str]:
    """The modules of the losses in use that are not Longhaul's own, by name."""
    found = {name: loss.losses.__module__ for name, loss in losses_in_use(config).items()}
    return {name: module for name, module in found.items() if module != __name__}


def losses_in_use(config: ObjectiveConfig) -> Mapping[str, AnchorLoss]:
    """The losses that have a weight, by name.

    Raises:
      LonghaulError: for a name that is not registered.
    """
    unknown = sorted(config.anchor_weights.keys() - ANCHOR_LOSSES.keys())
    if unknown:
        raise LonghaulError(
            f'ObjectiveConfig.anchor_losses={config.anchor_losses!r}: {unknown[0]!r} is not '
            f'registered; name one of {sorted(ANCHOR_LOSSES)}, or import the module that registers '
            'it in the gin file'
        )
    return {name: ANCHOR_LOSSES[name] for name in config.anchor_weights}
