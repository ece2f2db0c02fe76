"""How an exported model reads sequences: chunk by chunk if it is recurrent, else whole.

Rows are left-aligned here, as clients have them: row b's steps are inputs[b, :lengths[b]], and the
columns behind them are never read. The products of a step have the same shape for any length of a
chunk. So a sequence gives the same bits however it is cut into chunks.
"""

import tensorflow as tf

from pipelines.format.spec import SequenceSpec
from trainer.bptt.sequences import Sequences, all_columns
from trainer.models.protocol import Model, State

# Attention scores of one layer, 1 GB. Without a limit, one long document could take all memory.
MAX_SCORES = 1 << 28


class Encoder:
    """Reads sequences with one model; the state is all that the model keeps of earlier steps.

    Attributes:
      state_names: names of a state's tensors, [B, U] each; empty if the model cannot read a stream.
    """

    def __init__(self, model: Model) -> None:
        self._model, self.state_names = model, model.state_names

    def start(self, rows: tf.Tensor) -> State:
        """The state of `rows` sequences before their first step."""
        return self._model.start(rows)

    def advance(self, state: State, inputs: tf.Tensor, lengths: tf.Tensor) -> State:
        """The state after the next steps.

        Args:
          state: before them.
          inputs: [B, T(, C)], of the stored dtype; T may be 0.
          lengths: int32 [B], 0..T: a row's own steps; its state is held behind them.
        """
        columns = all_columns(Sequences(inputs, dtype=self._model.dtype))
        return self._model.advance(state, columns, lengths)

    def encode(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Whole sequences, [B, T(, C)] as stored and int32 [B] -> float [B, F], for `logits`."""
        return self.advance(self.start(tf.shape(inputs)[0]), inputs, lengths)['h']

    def logits(self, encoded: tf.Tensor) -> tf.Tensor:
        """[B, F] -> [B, classes]."""
        return self._model.classifier(encoded)


class WholeEncoder(Encoder):
    """Reads whole sequences, for models with attention: they need all steps at once."""

    def __init__(self, model: Model, *, longest: int) -> None:
        """`longest`: sequences up to this many steps are served, whatever memory they take."""
        super().__init__(model)
        self._most = max(MAX_SCORES, self._scores(longest))

    def encode(self, inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """See `Encoder.encode`."""
        rows, steps = tf.unstack(tf.shape(inputs, tf.int64)[:2])
        message = (
            f'attention: at most {self._most} scores (items x heads x steps^2) are allowed; '
            'send fewer or shorter items. Items and steps:'
        )
        fits = rows * self._scores(steps) <= self._most
        with tf.control_dependencies([tf.debugging.Assert(fits, [message, rows, steps])]):
            inputs = _right_aligned(inputs, lengths)
        return self._model.encode(self._model.sequences(inputs, lengths))

    def _scores(self, steps: int | tf.Tensor) -> int | tf.Tensor:
        """Attention scores of one sequence in one layer."""
        return self._model.config.transformer_heads * steps * steps


def _right_aligned(inputs: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Moves each row's steps to its end; what comes before them is arbitrary."""
    steps = tf.shape(inputs)[1]
    places = tf.range(steps) - (steps - lengths)[:, tf.newaxis]
    return tf.gather(inputs, tf.maximum(places, 0), batch_dims=1)


def make_encoder(model: Model, spec: SequenceSpec) -> Encoder:
    """The encoder of a model that was trained on such sequences."""
    if model.state_names:
        return Encoder(model)
    return WholeEncoder(model, longest=spec.most_steps or 0)
