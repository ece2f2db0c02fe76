"""The model: embedding, main LSTM, classifier, and the auxiliary parts an objective asks for."""

import tensorflow as tf

from trainer.bptt import lstm
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.bptt.sequences import Sequences, all_columns, right_aligned
from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.anchor_losses import losses_in_use
from trainer.models.layers import Classifier, GateBias, Initializer, LSTMLayer
from trainer.models.prediction import Prediction
from trainer.models.protocol import State
from trainer.models.readout import Readout
from trainer.models.reconstruction import Reconstruction
from trainer.models.step_losses import StepLoss


class LongSequenceModel(tf.Module):
    """An LSTM classifier of long sequences, with what its auxiliary losses need.

    `reconstruction`: a decoder or a readout of the past, `prediction`: an auxiliary LSTM or a
    readout of the future; None where the loss is not used. A loss at anchors that has variables
    keeps them as `anchor_NAME`.

    Source: paper, section 4 (one layer, 128 units, embedding 128, two layers of 256 on top).
    """

    state_names = ('c', 'h')

    def __init__(
        self,
        config: ModelConfig,
        *,
        input_rows: int,
        classes: int,
        seed: int,
        objective: ObjectiveConfig,
        loss: StepLoss,
        dtype: tf.DType = tf.float32,
    ) -> None:
        """Makes all variables.

        Args:
          config: sizes.
          input_rows: channels C of a step's values, or size V of the vocabulary.
          classes: number of classes.
          seed: initial values are a function of (seed, variable name).
          objective: which auxiliary losses are used, and in what form.
          loss: of a step, for both auxiliary parts.
          dtype: of all variables.
        """
        super().__init__()
        self.config, self.step_loss = config, loss
        make = Initializer(seed=seed, dtype=dtype)
        gates = GateBias(config.forget_bias, config.chrono_steps)
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
        self.reconstruction: Reconstruction | Readout | None = None
        self.prediction: Prediction | Readout | None = None
        for name in objective.readouts:
            setattr(self, name, _readout(make, name, config, input_rows, loss))
        if objective.reconstruction_weight and self.reconstruction is None:
            self.reconstruction = Reconstruction(
                make,
                input_rows=input_rows,
                embedding_units=config.embedding_units,
                hidden_units=config.hidden_units,
                head_units=config.head_units,
                gates=gates,
                share_embedding=config.share_embedding,
                loss=loss,
                knows_distance=objective.decoder_knows_distance,
            )
        if objective.prediction_weight and self.prediction is None:
            self.prediction = Prediction(
                make,
                input_rows=input_rows,
                hidden_units=config.hidden_units,
                head_units=config.head_units,
                gates=gates,
                loss=loss,
            )
        for name, added in losses_in_use(objective).items():
            if added.build is not None:
                setattr(self, f'anchor_{name}', added.build(make, config, input_rows))

    @property
    def dtype(self) -> tf.DType:
        """Of all variables."""
        return self.embedding.dtype

    @property
    def recurrent_kernel(self) -> tf.Variable:
        """Of the main LSTM."""
        return self.main.recurrent_kernel

    def main_weights(self) -> LSTMWeights:
        """The main LSTM's weights, the embedding folded into its input kernel."""
        return self.main.weights(tf.convert_to_tensor(self.embedding))

    def sequences(self, inputs: tf.Tensor, lengths: tf.Tensor | None) -> Sequences:
        """Right-aligned stored inputs [B, T(, C)]; `lengths` int32 [B], None: all rows are T."""
        return right_aligned(inputs, lengths, self.dtype)

    def encode(self, sequences: Sequences) -> tf.Tensor:
        """The hidden state [B, U] after the last step, without gradient."""
        columns = all_columns(sequences)
        weights = self.main_weights()
        state = lstm.zero_state(tf.shape(sequences.inputs)[0], weights)
        return lstm.final_state(columns, weights, state, first=sequences.padding).h

    def start(self, rows: tf.Tensor) -> State:
        """See `Model.start`."""
        return lstm.zero_state(rows, self.main_weights())._asdict()

    def advance(self, state: State, columns: tf.Tensor, lengths: tf.Tensor) -> State:
        """See `Model.advance`."""
        weights = self.main_weights()
        return lstm.final_state(columns, weights, LSTMState(**state), last=lengths)._asdict()


def _readout(
    make: Initializer, name: str, config: ModelConfig, input_rows: int, loss: StepLoss
) -> Readout:
    return Readout(
        make,
        name,
        hidden_units=config.hidden_units,
        readout_units=config.readout_units,
        outputs=input_rows * (loss.levels or 1),
        loss=loss,
    )
