"""The parts that all baselines share: embedding, classifier, and the interface of `Model`."""

import abc

import tensorflow as tf

from trainer.bptt.sequences import Sequences, right_aligned
from trainer.config import ModelConfig
from trainer.models.layers import Classifier, Initializer
from trainer.models.protocol import State


class Baseline(tf.Module, abc.ABC):
    """Embedding -> an encoder -> one vector per sequence -> the paper's classifier."""

    # Parts of the auxiliary losses, which only a `LongSequenceModel` can have.
    reconstruction = None
    prediction = None
    state_names: tuple[str, ...] = ()

    def __init__(
        self,
        config: ModelConfig,
        make: Initializer,
        *,
        input_rows: int,
        encoded_units: int,
        classes: int,
    ) -> None:
        """Makes the shared variables.

        Args:
          config: sizes.
          make: of the variables.
          input_rows: channels C of a step's values, or size V of the vocabulary.
          encoded_units: F, the width of what `encode` returns.
          classes: number of classes.
        """
        super().__init__()
        self.config = config
        self.embedding = make.normal('embedding', [input_rows, config.embedding_units])
        self.classifier = Classifier(
            make, inputs=encoded_units, head_units=config.head_units, classes=classes
        )

    @property
    def dtype(self) -> tf.DType:
        """Of all variables."""
        return self.embedding.dtype

    @property
    def recurrent_kernel(self) -> tf.Variable | None:
        """See `Model.recurrent_kernel`."""
        return None

    def sequences(self, inputs: tf.Tensor, lengths: tf.Tensor | None) -> Sequences:
        """Right-aligned stored inputs [B, T(, C)]; `lengths` int32 [B], None: all rows are T."""
        return right_aligned(inputs, lengths, self.dtype)

    def embed(self, columns: tf.Tensor) -> tf.Tensor:
        """Values [..., C] or ids [...], as `Sequences.decode` gives them -> [..., E]."""
        embedding = tf.convert_to_tensor(self.embedding)
        if columns.dtype.is_integer:
            return _pick_rows(embedding, columns)
        return tf.tensordot(columns, embedding, axes=1)

    @abc.abstractmethod
    def encode(self, sequences: Sequences, *, bptt_steps: int = 0) -> tf.Tensor:
        """One vector per sequence.

        Args:
          sequences: T is static, except in an exported model without `state_names`.
          bptt_steps: how many of the last steps a recurrent encoder reads with gradient.

        Returns:
          [B, F], for `classifier`.
        """

    def start(self, rows: tf.Tensor) -> State:
        """See `Model.start`."""
        return {n: tf.zeros([rows, self.config.hidden_units], self.dtype) for n in self.state_names}

    def advance(self, state: State, columns: tf.Tensor, lengths: tf.Tensor) -> State:
        """See `Model.advance`.

        Raises:
          TypeError: for a model without `state_names`; nothing asks it.
        """
        raise TypeError(f'{type(self).__name__}: needs all steps at once, and reads no stream')


@tf.custom_gradient
def _pick_rows(table: tf.Tensor, ids: tf.Tensor) -> tuple:
    """tf.gather with a dense gradient, whose norm counts a row once however often it is picked."""

    def backward(d: tf.Tensor) -> tuple[tf.Tensor, None]:
        return tf.math.unsorted_segment_sum(d, ids, table.shape[0]), None

    return tf.gather(table, ids), backward
