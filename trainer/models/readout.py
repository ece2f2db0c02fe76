"""A readout: predicts the value at any distance from a hidden state, without recurrence.

As an auxiliary loss it needs the state: its only inputs are the hidden state and the distance to
the predicted step. It is an MLP of the state times an MLP of the distance; one product of matrices
reads all distances from all states. This is DeepONet (Lu et al. 2021) with the state as branch and
the distance as trunk.
"""

import tensorflow as tf

from trainer.bptt.cell import product
from trainer.models.layers import Dense, Initializer
from trainer.models.sinusoids import FEATURES, sinusoids
from trainer.models.step_losses import StepLoss, mean_of_valid


class Readout(tf.Module):
    """output(h, d) = (state(h) * distance(d)) W + w.

    `state`: U -> P ReLU -> P. `distance`: sinusoids -> P ReLU -> P ReLU -> P. W is [P, O].
    """

    # A readout recalls single steps by distance; a decoder recalls a stretch from its first step.
    by_distance = True

    def __init__(
        self,
        make: Initializer,
        name: str,
        *,
        hidden_units: int,
        readout_units: int,
        outputs: int,
        loss: StepLoss,
    ) -> None:
        """Makes the variables, with U, P and O as above; `loss` turns outputs into values."""
        super().__init__()
        self._loss = loss
        name, p = f'{name}/readout', readout_units
        self.state_hidden = Dense(make, f'{name}/state/hidden', inputs=hidden_units, units=p)
        self.state_output = Dense(make, f'{name}/state/output', inputs=p, units=p)
        self.distance_hidden_1 = Dense(make, f'{name}/distance/hidden_1', inputs=FEATURES, units=p)
        self.distance_hidden_2 = Dense(make, f'{name}/distance/hidden_2', inputs=p, units=p)
        self.distance_output = Dense(make, f'{name}/distance/output', inputs=p, units=p)
        self.output = Dense(make, f'{name}/output', inputs=p, units=outputs)

    @property
    def outputs(self) -> int:
        """O, the number of outputs for one step."""
        return self.output.bias.shape[0]

    def __call__(self, hidden: tf.Tensor, distances: tf.Tensor) -> tf.Tensor:
        """Hidden states [R, U] and distances int32 [N] -> [R, N, O]; R and N may be dynamic."""
        state = self.state_output(tf.nn.relu(self.state_hidden(hidden)))
        kernel, bias = self._kernel(distances, hidden.dtype), self.output.bias
        said = product(state, tf.reshape(kernel, [state.shape[1], -1]))
        rows = hidden.shape[0] or tf.shape(hidden)[0]
        return tf.reshape(said, [rows, -1, self.outputs]) + bias

    def _kernel(self, distances: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """The matrix [P, O] that each of N distances multiplies the state by: [P, N, O]."""
        x = tf.nn.relu(self.distance_hidden_1(sinusoids(distances, dtype)))
        x = self.distance_output(tf.nn.relu(self.distance_hidden_2(x)))
        return tf.transpose(x)[:, :, tf.newaxis] * self.output.kernel[:, tf.newaxis, :]

    def recall(self, hidden: tf.Tensor, distances: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Predictions as columns of `dtype`: hidden [R, U] -> [R, N, C], or int32 ids [R, N]."""
        return self._loss.values(self(hidden, distances), dtype)

    def losses(
        self, hidden: tf.Tensor, distances: tf.Tensor, columns: tf.Tensor, valid: tf.Tensor
    ) -> tf.Tensor:
        """The mean over the valid distances, [R]; 0 for a row without any.

        Args:
          hidden: [R, U].
          distances: int32 [N], common to all rows.
          columns: float [R, N, C] or ids [R, N], the true steps at these distances.
          valid: bool [R, N].
        """
        losses = self._loss(self(hidden, distances), self._loss.targets(columns))
        return mean_of_valid(losses, valid, axis=-1)
