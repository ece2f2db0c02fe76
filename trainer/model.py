"""The model: embedding, main LSTM, classifier, and the auxiliary parts an objective asks for."""

import tensorflow as tf

from trainer import recurrent, truncation
from trainer.auxiliary import Prediction, Reconstruction
from trainer.config import ModelConfig
from trainer.layers import Classifier, GateBias, Initializer, LSTMLayer
from trainer.recurrent import LSTMState, LSTMWeights
from trainer.truncation import Sequences


class LongSequenceModel(tf.Module):
    """An LSTM classifier of long sequences, with a decoder (r) and a predictor (p) on demand.

    Source: paper, section 4 (one layer, 128 units, embedding 128, two layers of 256 on top).
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        input_rows: int,
        classes: int,
        seed: int,
        reconstruction: bool,
        prediction: bool,
        levels: int | None = None,
        dtype: tf.DType = tf.float32,
    ) -> None:
        """Makes all variables.

        Args:
          config: sizes.
          input_rows: channels C of a step's values, or size V of the vocabulary.
          classes: number of classes.
          seed: initial values are a function of (seed, variable name).
          reconstruction: whether the r-LSTM's decoder exists.
          prediction: whether the p-LSTM's auxiliary LSTM exists.
          levels: of a channel's values, which the auxiliary parts then tell apart like classes;
            None: they say values.
          dtype: of all variables.
        """
        super().__init__()
        self.config = config
        make = Initializer(seed=seed, dtype=dtype)
        units = {'hidden_units': config.hidden_units, 'head_units': config.head_units}
        gates = GateBias(config.forget_bias, config.chrono_steps)
        shared = {'input_rows': input_rows, 'gates': gates, 'levels': levels, **units}
        self.embedding = make.normal('embedding', [input_rows, config.embedding_units])
        self.main = LSTMLayer(
            make,
            'main',
            inputs=config.embedding_units,
            units=config.hidden_units,
            gates=gates,
        )
        self.classifier = Classifier(
            make, inputs=config.hidden_units, head_units=config.head_units, classes=classes
        )
        self.reconstruction = self.prediction = None
        if reconstruction:
            self.reconstruction = Reconstruction(
                make,
                embedding_units=config.embedding_units,
                share_embedding=config.share_embedding,
                **shared,
            )
        if prediction:
            self.prediction = Prediction(make, **shared)

    @property
    def dtype(self) -> tf.DType:
        """Of all variables."""
        return self.embedding.dtype

    def main_weights(self) -> LSTMWeights:
        """The main LSTM's weights, the embedding folded into its input kernel."""
        return self.main.weights(tf.convert_to_tensor(self.embedding))

    def sequences(self, inputs: tf.Tensor, lengths: tf.Tensor | None) -> Sequences:
        """Right-aligned stored inputs [B, T(, C)]; `lengths` int32 [B], None: all rows are T."""
        return truncation.right_aligned(inputs, lengths, self.dtype)

    def encode(self, sequences: Sequences) -> LSTMState:
        """The state [B, U] after the last step, without gradient; B and T may be dynamic."""
        columns = truncation.all_columns(sequences)
        weights = self.main_weights()
        state = recurrent.zero_state(tf.shape(sequences.inputs)[0], weights)
        return recurrent.final_state(columns, weights, state, first=sequences.padding)

    def classify(self, state: LSTMState) -> tf.Tensor:
        """State [B, U] -> logits [B, classes]."""
        return self.classifier(state.h)
