"""The supervised loss of a baseline, in the form that a task knows from the LSTM's objective."""

import dataclasses

import tensorflow as tf

from trainer.models.baselines.baseline import Baseline
from trainer.models.batch import Batch, Losses, supervised_losses
from trainer.models.objective import Objective


@dataclasses.dataclass(frozen=True)
class SupervisedObjective(Objective):
    """The supervised loss alone; weights and sums are those of `Objective`."""

    def compose(self, model: Baseline, batch: Batch) -> None:
        """A baseline has no windows."""

    def losses(self, model: Baseline, batch: Batch, dropconnect: tf.Tensor | None = None) -> Losses:
        """The losses of each example, see `Objective.losses`; the auxiliary ones are 0."""
        sequences = model.sequences(batch.inputs, batch.lengths)
        encoded = model.encode(sequences, bptt_steps=self.config.supervised_bptt_steps)
        logits = model.classifier(encoded, dropconnect)
        losses = supervised_losses(logits, batch.labels)
        zeros = tf.zeros_like(losses)
        return Losses(losses, zeros, zeros, logits, encoded, zeros, zeros)
