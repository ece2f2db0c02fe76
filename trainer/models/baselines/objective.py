"""The supervised loss of a baseline, with the same interface as the LSTM's objective."""

import tensorflow as tf

from trainer.models.baselines.baseline import Baseline
from trainer.models.batch import Batch, Losses, supervised_losses
from trainer.models.objective import Objective


class SupervisedObjective(Objective[Baseline]):
    """The supervised loss alone."""

    def losses(
        self,
        model: Baseline,
        batch: Batch,
        dropconnect: tf.Tensor | None = None,
        *,
        other_states: bool = False,
    ) -> Losses:
        """See `Objective.losses`; the auxiliary ones are 0."""
        del other_states
        sequences = model.sequences(batch.inputs, batch.lengths)
        encoded = model.encode(sequences, bptt_steps=self.config.supervised_bptt_steps)
        logits = model.classifier(encoded, dropconnect)
        losses = supervised_losses(logits, batch.labels)
        zeros = tf.zeros_like(losses)
        return Losses(
            supervised=losses,
            reconstruction=zeros,
            prediction=zeros,
            logits=logits,
            encoded=encoded,
            reconstruction_average=zeros,
            prediction_average=zeros,
        )

    def compose(self, model: Baseline, batch: Batch, *, other_states: bool = False) -> None:
        """See `Objective.compose`: a baseline has no windows."""
