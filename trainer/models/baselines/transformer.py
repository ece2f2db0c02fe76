"""A Transformer encoder of Model Garden's blocks in the place of the main LSTM.

Importing Model Garden's NLP layers costs 0.2 s and 20 MB: import this module where it is needed.
"""

import math

import tensorflow as tf
import tf_keras
from official.nlp.modeling import layers

from trainer.bptt.sequences import Sequences
from trainer.config import ModelConfig
from trainer.models.baselines.baseline import Baseline
from trainer.models.layers import Initializer

_EPSILON = 1e-6


class TransformerClassifier(Baseline):
    """Embedding + sinusoidal positions -> blocks -> norm -> mean over the steps -> classifier.

    Each block normalises its inputs, not its outputs ("pre-norm": it trains without a warm-up), and
    drops nothing at random. Every step attends to every step: memory grows with T^2, and gradients
    reach all steps. Positions count from a row's first step and have no maximum.

    Source: Vaswani et al. 2017; norm first: Xiong et al. 2020.
    """

    def __init__(
        self,
        config: ModelConfig,
        *,
        input_rows: int,
        classes: int,
        seed: int,
    ) -> None:
        """Makes all variables, float32; see `LongSequenceModel`."""
        make, units = Initializer(seed=seed), config.embedding_units
        super().__init__(config, make, input_rows=input_rows, encoded_units=units, classes=classes)
        self._positions = layers.RelativePositionEmbedding(units, name='positions')
        self.blocks = [
            layers.TransformerEncoderBlock(
                num_attention_heads=config.transformer_heads,
                inner_dim=config.transformer_inner_units,
                inner_activation='relu',
                kernel_initializer='zeros',
                norm_first=True,
                norm_epsilon=_EPSILON,
                name=f'block_{i}',
            )
            for i in range(config.transformer_layers)
        ]
        self.norm = tf_keras.layers.LayerNormalization(epsilon=_EPSILON, name='norm')
        for layer in (*self.blocks, self.norm):
            layer(tf.zeros([1, 1, units]))
        for block in self.blocks:
            _assign_initial_values(make, block)

    def encode(self, sequences: Sequences, *, bptt_steps: int = 0) -> tf.Tensor:
        """The mean [B, E] over each row's steps; see `Baseline.encode`.

        `bptt_steps` is ignored: attention has no past to cut off.
        """
        del bptt_steps
        x = self.embed(sequences.decode(sequences.inputs))
        positions = self._positions(x)
        if sequences.padding is None:
            return tf.reduce_mean(self._attend(x + positions, None), axis=1)
        steps = tf.range(tf.shape(x)[1]) - sequences.padding[:, tf.newaxis]
        x += tf.gather(positions, tf.maximum(steps, 0))
        real = steps >= 0
        x = self._attend(x, real[:, tf.newaxis])
        total = tf.reduce_sum(tf.where(real[..., tf.newaxis], x, 0.0), axis=1)
        lengths = tf.shape(x)[1] - sequences.padding
        # A row without any step, an unreadable text for example, is zero.
        return total / tf.cast(tf.maximum(lengths, 1), x.dtype)[:, tf.newaxis]

    def _attend(self, x: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
        """[B, T, E] -> [B, T, E]; `mask` bool [B, 1, T]: which steps may be attended to."""
        for block in self.blocks:
            x = block(x if mask is None else [x, mask])
        return self.norm(x)


def _assign_initial_values(make: Initializer, block: tf_keras.layers.Layer) -> None:
    """Gives each kernel its own values, a function of (seed, name); other weights do not change.

    The block clones its one initializer for query, key and value: all three would start equal.
    """
    for weight in block.trainable_weights:
        name = weight.name.removesuffix(':0')
        if not name.endswith('/kernel'):
            continue
        shape = list(weight.shape)
        if len(shape) == 3:
            # Attention: [E, heads, E / heads] and [heads, E / heads, E] are E x E matrices.
            shape = [math.isqrt(weight.shape.num_elements())] * 2
        value = make.glorot_uniform(name, shape).value()
        weight.assign(tf.reshape(value, weight.shape))
