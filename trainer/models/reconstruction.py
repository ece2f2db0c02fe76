"""The r-LSTM's decoder: reconstructs what came before an anchor.

This module knows states, columns and losses, but not where truncation happens: the caller that
passes a state decides where gradients stop. A row here is a pair (anchor, example); there are R
rows. Time is the first axis. Source: Trinh et al. 2018, section 3.1, and Dai and Le 2015 for the
reconstructing decoder.
"""

import tensorflow as tf

from trainer.bptt import lstm
from trainer.bptt.cell import product
from trainer.bptt.for_steps import for_steps
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.models.layers import GateBias, Initializer, LSTMLayer, StepHead
from trainer.models.sinusoids import FEATURES, sinusoids
from trainer.models.step_losses import StepLoss, mean_of_valid, step_losses


class Reconstruction(tf.Module):
    """r-LSTM's decoder: two layers, the bottom one started from the main LSTM's state."""

    # A decoder recalls a stretch from its first step; a `Readout` recalls single steps by distance.
    by_distance = False

    def __init__(
        self,
        make: Initializer,
        *,
        input_rows: int,
        embedding_units: int,
        hidden_units: int,
        head_units: int,
        gates: GateBias,
        share_embedding: bool,
        loss: StepLoss,
        knows_distance: bool = False,
    ) -> None:
        """Makes the variables.

        Args:
          make: initial values.
          input_rows: channels C, or size of the vocabulary.
          embedding_units: width of the embedding.
          hidden_units: U, of both layers.
          head_units: width of the head's hidden layer.
          gates: of both layers.
          share_embedding: whether it uses the embedding of the main LSTM.
          loss: of a step; with levels, the head has logits over each channel's levels.
          knows_distance: whether it gets the distance from the anchor back to the first step of its
            subsequence.
        """
        super().__init__()
        self._loss = loss
        name, units = 'reconstruction', hidden_units
        self.embedding = None
        if not share_embedding:
            shape = [input_rows, embedding_units]
            self.embedding = make.normal(f'{name}/embedding', shape)
        self.bottom = LSTMLayer(
            make, f'{name}/bottom', inputs=embedding_units, units=units, gates=gates
        )
        self.top = LSTMLayer(make, f'{name}/top', inputs=units, units=units, gates=gates)
        self.distance = None
        if knows_distance:
            shape = [FEATURES, 2 * hidden_units]
            self.distance = make.glorot_uniform(f'{name}/distance/kernel', shape)
        outputs = input_rows * (loss.levels or 1)
        self.head = StepHead(
            make, f'{name}/head', inputs=hidden_units, head_units=head_units, outputs=outputs
        )

    @property
    def knows_distance(self) -> bool:
        """Whether it gets the distance from the anchor back to its subsequence's first step."""
        return self.distance is not None

    def start(self, state: LSTMState, distances: tf.Tensor) -> tuple[LSTMState, LSTMState]:
        """Both layers' first states.

        Args:
          state: [R, U], the main LSTM's (c, h) at the anchor; the bottom layer starts from it.
          distances: int32 [R], from each anchor back to the first step of its subsequence. The top
            layer starts from them if `knows_distance`, else from zero (paper, section 4).
        """
        if self.distance is None:
            return state, lstm.zero_state(tf.shape(state.h)[0], self.top.weights())
        c, h = tf.split(product(sinusoids(distances, state.h.dtype), self.distance), 2, axis=-1)
        return state, LSTMState(c, h)

    def outputs(
        self,
        start: tuple[LSTMState, LSTMState],
        columns: tf.Tensor,
        embedding: tf.Tensor,
        fed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Decodes the columns after the first one.

        Args:
          start: from `start`.
          columns: float [L, R, C] or int32 [L, R], the subsequence: x_s first.
          embedding: the main LSTM's, used unless the decoder has its own.
          fed: bool [L-1, R]; where False, the decoder's own previous output takes the input's
            place, without gradient. None: all inputs are fed. The first input always is.

        Returns:
          [L-1, R, O]: the decoder's outputs for columns[1:].
        """
        return self.head(self._hidden(start, columns, embedding, fed))

    def _hidden(
        self,
        start: tuple[LSTMState, LSTMState],
        columns: tf.Tensor,
        embedding: tf.Tensor,
        fed: tf.Tensor | None,
    ) -> tf.Tensor:
        """[L-1, R, U]: the decoder's hidden states, see `outputs`."""
        embedding = embedding if self.embedding is None else self.embedding
        bottom, top = self.bottom.weights(embedding), self.top.weights()
        inputs = columns[:-1]
        if fed is not None:
            inputs = self._own_inputs(inputs, fed, (bottom, top), start)
        hidden, _ = lstm.lstm(inputs, bottom, start[0])
        return lstm.lstm(hidden, top, start[1], input_gradient=True)[0]

    def losses(
        self,
        start: tuple[LSTMState, LSTMState],
        columns: tf.Tensor,
        lengths: tf.Tensor,
        embedding: tf.Tensor,
        fed: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Mean loss per row, [R]; `lengths` int32 [R] are the L_i, the rest as in `outputs`."""
        steps = columns.shape[0]
        if steps < 2:
            return tf.zeros([columns.shape[1]], start[0].h.dtype)
        hidden = self._hidden(start, columns, embedding, fed)
        targets = self._loss.targets(columns[1:])
        valid = tf.range(1, steps)[:, tf.newaxis] < lengths
        return mean_of_valid(step_losses(self.head, hidden, targets, self._loss), valid)

    def values(self, outputs: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        """Turns outputs into columns of `dtype`."""
        return self._loss.values(outputs, dtype)

    def _own_inputs(
        self, inputs: tf.Tensor, fed: tf.Tensor, weights: tuple, start: tuple
    ) -> tf.Tensor:
        """Runs the decoder once without gradient, to get its inputs where it is not fed.

        Since no gradient flows through an output that is fed back, reading these inputs afterwards
        with gradient gives the exact gradient of the free-running decoder.
        """
        bottom_weights, top_weights = map(lstm.stop_gradient, weights)
        steps = inputs.shape[0]
        read = tf.TensorArray(inputs.dtype, steps, element_shape=inputs.shape[1:])

        def body(j: tf.Tensor, own: tf.Tensor, states: tuple, read: tf.TensorArray) -> tuple:
            use = tf.logical_or(fed[j], j == 0)
            use = use if inputs.dtype.is_integer else use[:, tf.newaxis]
            x = tf.where(use, inputs[j], own)
            output, states = self._say(x, (bottom_weights, top_weights), states)
            return output, states, read.write(j, x)

        begin = tuple(map(lstm.stop_gradient, start))
        *_, read = for_steps(steps, body, inputs[0], begin, read)
        return tf.stop_gradient(read.stack())

    def _say(
        self, x: tf.Tensor, weights: tuple[LSTMWeights, LSTMWeights], states: tuple
    ) -> tuple[tf.Tensor, tuple]:
        """One step: the values that it predicts after x [R, C] or ids [R], and the new states."""
        bottom = lstm.step(x, weights[0], states[0])
        top = lstm.step(bottom.h, weights[1], states[1])
        return self._loss.values(self.head(top.h), x.dtype), (bottom, top)

    def free_run(
        self,
        start: tuple[LSTMState, LSTMState],
        first: tf.Tensor,
        steps: tf.Tensor,
        embedding: tf.Tensor,
    ) -> tf.Tensor:
        """Decodes from the true first step alone: each further input is the output before it.

        No caller needs its gradient.

        Args:
          start: from `start`.
          first: float [R, C] or int32 [R], x_s.
          steps: int32 [], how many steps are wanted after it.
          embedding: the main LSTM's, used unless the decoder has its own.

        Returns:
          [steps, R(, C)]: the predicted values.
        """
        embedding = embedding if self.embedding is None else self.embedding
        weights = self.bottom.weights(embedding), self.top.weights()
        said = tf.TensorArray(first.dtype, steps, element_shape=first.shape)

        def body(j: tf.Tensor, x: tf.Tensor, states: tuple, said: tf.TensorArray) -> tuple:
            """Predicts step j after the first one."""
            output, states = self._say(x, weights, states)
            return output, states, said.write(j, output)

        *_, said = for_steps(steps, body, first, start, said)
        return said.stack()
