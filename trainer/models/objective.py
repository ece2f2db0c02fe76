"""Which losses a run has, with which weights. Source: Trinh et al. 2018, section 3."""

import abc
import dataclasses
import functools
import operator
from typing import Generic, TypeVar

import tensorflow as tf

from trainer.config import ObjectiveConfig
from trainer.models.batch import Batch, Losses
from trainer.models.composition import Composition, batch_steps
from trainer.models.long_sequence import LongSequenceModel

_Model = TypeVar('_Model')


@dataclasses.dataclass(frozen=True)
class Objective(abc.ABC, Generic[_Model]):
    """Which losses of one kind of model, and how far their gradients reach.

    Attributes:
      config: weights and truncation.
      segment_steps: of the records.
      supervised: False: the auxiliary losses alone.
    """

    config: ObjectiveConfig
    segment_steps: int
    supervised: bool = True

    def weighted(self, losses: Losses) -> tf.Tensor:
        """The weighted sum of the losses of each example, [B]."""
        return functools.reduce(operator.add, self.parts(losses).values())

    def parts(self, losses: Losses) -> dict[str, tf.Tensor]:
        """The losses of each example times their weights, [B], by name."""
        names = ('reconstruction', 'prediction', *['supervised'] * self.supervised)
        found = {n: getattr(losses, n) * getattr(self.config, f'{n}_weight') for n in names}
        weights = self.config.anchor_weights
        return found | {n: loss * weights[n] for n, loss in losses.at_anchors.items()}

    def total(self, losses: Losses, global_batch_size: int) -> tf.Tensor:
        """The weighted losses, summed over the examples, divided by the global batch size."""
        weighted = self.weighted(losses)
        return tf.reduce_sum(weighted) / tf.cast(global_batch_size, weighted.dtype)

    def auxiliary_steps(self, batch: Batch) -> int:
        """L of a batch."""
        return batch_steps(self.config.auxiliary_steps, batch)

    @abc.abstractmethod
    def losses(
        self,
        model: _Model,
        batch: Batch,
        dropconnect: tf.Tensor | None = None,
        *,
        other_states: bool = False,
    ) -> Losses:
        """Computes the losses of each example, with exact truncation (`trainer.bptt.truncation`).

        Args:
          model: with the parts that the losses need.
          batch: of B sequences.
          dropconnect: [F, F], see `Classifier`; None when evaluating.
          other_states: whether each row's auxiliary losses are computed from the state of another
            row of the batch. This measures the losses without the right state, see
            `trainer.monitoring.state_use`.

        Returns:
          The losses of each example and, with `supervised`, the logits.
        """

    @abc.abstractmethod
    def compose(
        self, model: _Model, batch: Batch, *, other_states: bool = False
    ) -> Composition | None:
        """The windows with the states at their starts; None for a model without windows."""


class TruncatedObjective(Objective[LongSequenceModel]):
    """The objective of the LSTM, with supervised and auxiliary losses.

    The strides of the sweep are no longer than a segment: documents are padded to whole segments.
    """

    def losses(
        self,
        model: LongSequenceModel,
        batch: Batch,
        dropconnect: tf.Tensor | None = None,
        *,
        other_states: bool = False,
    ) -> Losses:
        """See `Objective.losses`."""
        return self.compose(model, batch, other_states=other_states).losses(dropconnect)

    def compose(
        self, model: LongSequenceModel, batch: Batch, *, other_states: bool = False
    ) -> Composition:
        """See `Objective.compose`."""
        return Composition(
            model,
            batch,
            self.config,
            supervised=self.supervised,
            segment_steps=self.segment_steps,
            other_states=other_states,
        )
