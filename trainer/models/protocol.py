"""The interface of every model, as the trainer, the exporter and the monitoring use it."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from trainer.bptt.sequences import Sequences
from trainer.config import ModelConfig
from trainer.models.layers import Classifier
from trainer.models.prediction import Prediction
from trainer.models.readout import Readout
from trainer.models.reconstruction import Reconstruction

# Tensors of a state by name, [B, U] each.
State = dict[str, tf.Tensor]


class Model(Protocol):
    """A classifier of long sequences.

    Attributes:
      config: its sizes.
      embedding: [C or V, E].
      classifier: its input is what `encode` returns.
      reconstruction, prediction: the parts of the auxiliary losses; None if a loss is not used.
      state_names: names of a state's tensors; 'h' is the classifier's input. Empty if the model
        needs all steps at once, so that it cannot read a stream.
    """

    config: ModelConfig
    embedding: tf.Variable
    classifier: Classifier
    reconstruction: Reconstruction | Readout | None
    prediction: Prediction | Readout | None
    state_names: tuple[str, ...]

    @property
    def dtype(self) -> tf.DType:
        """Of all variables."""

    @property
    def recurrent_kernel(self) -> tf.Variable | None:
        """The matrix that multiplies the state in each step; None if there is no recurrence."""

    @property
    def trainable_variables(self) -> Sequence[tf.Variable]:
        """The variables that are trained."""

    def sequences(self, inputs: tf.Tensor, lengths: tf.Tensor | None) -> Sequences:
        """Right-aligned stored inputs [B, T(, C)]; `lengths` int32 [B], None: all rows are T."""

    def encode(self, sequences: Sequences) -> tf.Tensor:
        """The classifier's input [B, F], without gradient."""

    def start(self, rows: tf.Tensor) -> State:
        """The state of `rows` sequences before their first step."""

    def advance(self, state: State, columns: tf.Tensor, lengths: tf.Tensor) -> State:
        """The state after some more steps, for sequences that arrive in chunks.

        Args:
          state: before them.
          columns: [T, B, C] values or [T, B] ids, as `Sequences.decode` gives them; T may be 0.
          lengths: int32 [B]; a row's state is held from this step on.
        """
