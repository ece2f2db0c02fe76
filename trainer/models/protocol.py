"""What the trainer, the exporter and the monitoring may ask of a model, whatever reads in it."""

from collections.abc import Sequence
from typing import Protocol

import tensorflow as tf

from trainer.bptt.sequences import Sequences
from trainer.config import ModelConfig
from trainer.models.layers import Classifier
from trainer.models.prediction import Prediction
from trainer.models.readout import Readout
from trainer.models.reconstruction import Reconstruction

# By name, [B, U] each.
State = dict[str, tf.Tensor]


class Model(Protocol):
    """A classifier of long sequences.

    Attributes:
      config: its sizes.
      embedding: [C or V, E].
      classifier: of what `encode` returns.
      reconstruction, prediction: the parts of the auxiliary losses; None where they are not used.
      state_names: of the tensors of a state; empty where all steps are needed at once, and nothing
        can be streamed. 'h' is what the classifier reads.
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
        """What the state is multiplied by in each step; None where nothing is recurrent."""

    @property
    def trainable_variables(self) -> Sequence[tf.Variable]:
        """What gradients are of."""

    def sequences(self, inputs: tf.Tensor, lengths: tf.Tensor | None) -> Sequences:
        """Right-aligned stored inputs [B, T(, C)]; `lengths` int32 [B], None: all rows are T."""

    def encode(self, sequences: Sequences) -> tf.Tensor:
        """[B, F], what the classifier reads, without gradient."""

    def start(self, rows: tf.Tensor) -> State:
        """The state of so many sequences before their first step."""

    def advance(self, state: State, columns: tf.Tensor, lengths: tf.Tensor) -> State:
        """The state after some more steps, for sequences that arrive in chunks.

        Args:
          state: before them.
          columns: [T, B, C] values or [T, B] ids, as `Sequences.decode` gives them; T may be 0.
          lengths: int32 [B]; a row's state is held from this step on.
        """
