"""The p-LSTM's auxiliary LSTM: predicts what comes after an anchor.

This module knows hidden states, columns and losses, but not where truncation happens: the caller
that passes the hidden states decides where gradients stop. A row here is a pair (anchor, example);
there are R rows. Time is the first axis. Source: Trinh et al. 2018, section 3.1.
"""

import tensorflow as tf

from trainer.bptt import lstm
from trainer.models.layers import GateBias, Initializer, LSTMLayer, StepHead
from trainer.models.step_losses import StepLoss, mean_of_valid, step_losses


class Prediction(tf.Module):
    """p-LSTM's auxiliary LSTM, stacked on the main one from the anchor on."""

    def __init__(
        self,
        make: Initializer,
        *,
        input_rows: int,
        hidden_units: int,
        head_units: int,
        gates: GateBias,
        loss: StepLoss,
    ) -> None:
        """Makes the variables; see `Reconstruction`."""
        super().__init__()
        self._loss = loss
        name = 'prediction'
        self.lstm = LSTMLayer(
            make, f'{name}/lstm', inputs=hidden_units, units=hidden_units, gates=gates
        )
        outputs = input_rows * (loss.levels or 1)
        self.head = StepHead(
            make, f'{name}/head', inputs=hidden_units, head_units=head_units, outputs=outputs
        )

    def losses(
        self,
        hidden: tf.Tensor,
        targets: tf.Tensor,
        valid: tf.Tensor,
        *,
        first: tf.Tensor | None = None,
        bptt_steps: int | None = None,
    ) -> tf.Tensor:
        """Mean loss per row.

        Args:
          hidden: [n, R, U], the main LSTM's hidden states.
          targets: float [n, R, C] or int32 [n, R], the column after each of them.
          valid: bool [n, R].
          first: int32 [R]; the auxiliary LSTM starts, from zero, at this step. None: at once.
          bptt_steps: cuts of the auxiliary LSTM, see `lstm.lstm`.

        Returns:
          [R]; 0 for a row without a valid step.
        """
        weights = self.lstm.weights()
        hidden, _ = lstm.lstm(
            hidden,
            weights,
            lstm.zero_state(hidden.shape[1], weights),
            first=first,
            bptt_steps=bptt_steps,
            input_gradient=True,
        )
        targets = self._loss.targets(targets)
        return mean_of_valid(step_losses(self.head, hidden, targets, self._loss), valid)
