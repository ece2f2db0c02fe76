"""A GRU in the place of the main LSTM, with the same truncation of the supervised loss."""

import tensorflow as tf
import tf_keras

from trainer.bptt.for_steps import for_steps
from trainer.bptt.sequences import Sequences, columns_at
from trainer.config import ModelConfig
from trainer.models.baselines.baseline import Baseline
from trainer.models.layers import Initializer
from trainer.models.protocol import State

# The gradient-free prefix is embedded piece by piece: [B, T, E] floats never exist.
_PIECE_STEPS = 128


class GRUClassifier(Baseline):
    """Embedding -> GRU -> last hidden state -> classifier.

    Source: Cho et al. 2014, in the variant of cuDNN and tf_keras (the reset gate acts after the
    recurrent product).
    """

    state_names = ('h',)

    def __init__(
        self,
        config: ModelConfig,
        *,
        input_rows: int,
        classes: int,
        seed: int,
        dtype: tf.DType = tf.float32,
    ) -> None:
        """Makes all variables; see `LongSequenceModel`."""
        make = Initializer(seed=seed, dtype=dtype)
        super().__init__(
            config,
            make,
            input_rows=input_rows,
            encoded_units=config.hidden_units,
            classes=classes,
        )
        inputs, units = config.embedding_units, config.hidden_units
        self.gru = tf_keras.layers.GRU(
            units,
            time_major=True,
            return_state=True,
            kernel_initializer='zeros',
            recurrent_initializer='zeros',
            dtype=make.dtype.name,
            name='gru',
        )
        self.gru.build((None, None, inputs))
        cell = self.gru.cell
        cell.kernel.assign(make.glorot_uniform('gru/kernel', [inputs, 3 * units]).value())
        cell.recurrent_kernel.assign(
            make.orthogonal('gru/recurrent_kernel', [units, 3 * units]).value()
        )

    @property
    def recurrent_kernel(self) -> tf.Variable:
        """Of the GRU."""
        return self.gru.cell.recurrent_kernel

    def encode(self, sequences: Sequences, *, bptt_steps: int = 0) -> tf.Tensor:
        """The hidden state [B, U] after the last step; see `Baseline.encode`.

        The steps before the last `bptt_steps` are read without gradient, and only their state is
        kept. T is static; an exported model reads its sequences with `advance`.
        """
        total = sequences.total_steps
        steps = min(bptt_steps, total)
        rows = sequences.inputs.shape[0] or tf.shape(sequences.inputs)[0]
        state = tf.zeros([rows, self.config.hidden_units], self.dtype)
        state = self._skim(sequences, state, until=total - steps)
        return self._read(sequences, state, begin=total - steps, steps=steps) if steps else state

    def advance(self, state: State, columns: tf.Tensor, lengths: tf.Tensor) -> State:
        """See `Model.advance`.

        The Keras layer is not used here: it needs at least one step, and it adds a graph for cuDNN
        that takes seconds to load.
        """
        cell, units = self.gru.cell, self.config.hidden_units
        bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(cell.bias))
        table = tf.convert_to_tensor(self.embedding) @ tf.convert_to_tensor(cell.kernel)
        recurrent = tf.convert_to_tensor(cell.recurrent_kernel)

        def body(t: tf.Tensor, h: tf.Tensor) -> tuple[tf.Tensor]:
            """Reads one column: products of one shape, however long the chunk is."""
            x = columns[t]
            x = tf.gather(table, x) if x.dtype.is_integer else x @ table
            x_gates, x_new = tf.split(x + bias, [2 * units, units], axis=-1)
            h_gates, h_new = tf.split(h @ recurrent + recurrent_bias, [2 * units, units], -1)
            update, reset = tf.split(tf.sigmoid(x_gates + h_gates), 2, axis=-1)
            new = update * h + (1 - update) * tf.tanh(x_new + reset * h_new)
            return (tf.where((t < lengths)[:, tf.newaxis], new, h),)

        longest = tf.shape(columns)[0]
        steps = tf.reduce_max(tf.pad(lengths, [[0, 1]]))
        (h,) = for_steps(steps, body, state['h'], longest=longest)
        return {'h': h}

    def _read(
        self,
        sequences: Sequences,
        state: tf.Tensor,
        *,
        begin: int | tf.Tensor,
        steps: int,
    ) -> tf.Tensor:
        """The state after at least one more column; held where a row has not begun."""
        embedded = self.embed(columns_at(sequences, begin, steps))
        mask = None
        if sequences.padding is not None:
            mask = begin + tf.range(steps)[:, tf.newaxis] >= sequences.padding
        return self.gru(embedded, mask=mask, initial_state=state)[1]

    def _skim(self, sequences: Sequences, state: tf.Tensor, *, until: int) -> tf.Tensor:
        """The state after the columns before `until`, without gradient.

        A short piece first, then whole ones in a loop, so that the graph does not grow with T.
        """
        if until == 0:
            return state
        first = (until - 1) % _PIECE_STEPS + 1

        def body(begin: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            state = self._read(sequences, state, begin=begin, steps=_PIECE_STEPS)
            return begin + _PIECE_STEPS, state

        _, state = tf.while_loop(
            lambda begin, _: begin < until,
            body,
            (tf.convert_to_tensor(first), self._read(sequences, state, begin=0, steps=first)),
            parallel_iterations=1,
            maximum_iterations=(until - first) // _PIECE_STEPS,
        )
        return tf.stop_gradient(state)
