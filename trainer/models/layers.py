"""Variables of the model's parts: a dense layer, an LSTM layer and the two-layer heads.

Initial values are a pure function of (seed, name): the same on every replica and in every process,
whatever the order in which parts are built.
"""

import dataclasses
import zlib
from collections.abc import Sequence

import tensorflow as tf

from trainer.bptt.cell import product
from trainer.bptt.lstm import LSTMWeights


@dataclasses.dataclass(frozen=True)
class GateBias:
    """The initial biases of an LSTM's gates.

    Without `chrono_steps`: `forget_bias` for the forget gate and zero for all others. With
    `chrono_steps`: each unit remembers for u steps, with u uniform on 1..chrono_steps - 1; the bias
    is log u for the forget gate, -log u for the input gate and zero for the others (Tallec &
    Ollivier 2018, section 2.3).
    """

    forget_bias: float = 1.0
    chrono_steps: int | None = None


class Initializer:
    """Makes named variables, each from its own stream of random numbers."""

    def __init__(self, *, seed: int, dtype: tf.DType = tf.float32) -> None:
        self._seed = seed
        self.dtype = tf.as_dtype(dtype)

    def _variable(self, name: str, value: tf.Tensor) -> tf.Variable:
        return tf.Variable(tf.cast(value, self.dtype), name=name)

    def _seeds(self, name: str) -> list[int]:
        # crc32, not hash(): the latter differs from process to process.
        return [self._seed & 0x7FFFFFFF, zlib.crc32(name.encode()) & 0x7FFFFFFF]

    def glorot_uniform(self, name: str, shape: list[int]) -> tf.Variable:
        """Uniform in +-sqrt(6 / (fan_in + fan_out))."""
        limit = (6.0 / (shape[0] + shape[1])) ** 0.5
        draw = tf.random.stateless_uniform(shape, self._seeds(name), -limit, limit)
        return self._variable(name, draw)

    def normal(self, name: str, shape: list[int]) -> tf.Variable:
        """Standard normal, for embeddings: distances between ids do not depend on their number."""
        return self._variable(name, tf.random.stateless_normal(shape, self._seeds(name)))

    def orthogonal(self, name: str, shape: list[int]) -> tf.Variable:
        """Orthonormal rows, for recurrent kernels [U, 4U]."""
        draw = tf.random.stateless_normal([shape[1], shape[0]], self._seeds(name), dtype=tf.float64)
        q, r = tf.linalg.qr(draw)
        return self._variable(name, tf.transpose(q * tf.sign(tf.linalg.diag_part(r))))

    def zeros(self, name: str, shape: list[int]) -> tf.Variable:
        """All zero."""
        return self._variable(name, tf.zeros(shape))

    def lstm_bias(self, name: str, units: int, gates: GateBias) -> tf.Variable:
        """[4U], in Keras's gate order."""
        zeros = tf.zeros([units])
        forget, enter = zeros + gates.forget_bias, zeros
        if gates.chrono_steps is not None:
            longest = float(gates.chrono_steps - 1)
            forget = tf.math.log(
                tf.random.stateless_uniform([units], self._seeds(name), 1.0, longest)
            )
            enter = -forget
        return self._variable(name, tf.concat([enter, forget, zeros, zeros], 0))


class Dense(tf.Module):
    """kernel [D, units] and bias [units]."""

    def __init__(self, make: Initializer, name: str, *, inputs: int, units: int) -> None:
        super().__init__()
        self.kernel = make.glorot_uniform(f'{name}/kernel', [inputs, units])
        self.bias = make.zeros(f'{name}/bias', [units])

    def __call__(self, x: tf.Tensor, multiplier: tf.Tensor | None = None) -> tf.Tensor:
        """[N, D] -> [N, units]; `multiplier` [D, units] scales the kernel (DropConnect)."""
        kernel = self.kernel if multiplier is None else self.kernel * multiplier
        return product(x, kernel) + self.bias


class LSTMLayer(tf.Module):
    """Variables of one LSTM layer, in Keras's layout and gate order (i, f, c, o)."""

    def __init__(
        self, make: Initializer, name: str, *, inputs: int, units: int, gates: GateBias
    ) -> None:
        super().__init__()
        self.kernel = make.glorot_uniform(f'{name}/kernel', [inputs, 4 * units])
        self.recurrent_kernel = make.orthogonal(f'{name}/recurrent_kernel', [units, 4 * units])
        self.bias = make.lstm_bias(f'{name}/bias', units, gates)

    def weights(self, embedding: tf.Tensor | None = None) -> LSTMWeights:
        """The layer's weights; with an embedding [C or V, E], folded into the input kernel.

        Folding makes the input product as wide as the data and not as the embedding, and turns
        token ids into one gather; the gradient flows back through the small folding product.
        """
        kernel = tf.convert_to_tensor(self.kernel)
        if embedding is not None:
            kernel = tf.matmul(embedding, kernel)
        return LSTMWeights(
            kernel,
            tf.convert_to_tensor(self.recurrent_kernel),
            tf.convert_to_tensor(self.bias),
        )


class StepHead(tf.Module):
    """Per step: U -> head_units ReLU -> outputs (paper, section 4: 256 units)."""

    def __init__(
        self, make: Initializer, name: str, *, inputs: int, head_units: int, outputs: int
    ) -> None:
        super().__init__()
        self.hidden = Dense(make, f'{name}/hidden', inputs=inputs, units=head_units)
        self.output = Dense(make, f'{name}/output', inputs=head_units, units=outputs)

    def weights(self) -> list[tf.Tensor]:
        """Kernel and bias of the hidden and of the output layer."""
        layers = (self.hidden, self.output)
        return [tf.convert_to_tensor(v) for x in layers for v in (x.kernel, x.bias)]

    @staticmethod
    def apply(x: tf.Tensor, weights: Sequence[tf.Tensor]) -> tf.Tensor:
        """[N, U] -> [N, outputs]."""
        kernel_1, bias_1, kernel_2, bias_2 = weights
        return product(tf.nn.relu(product(x, kernel_1) + bias_1), kernel_2) + bias_2

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """[..., U] -> [..., outputs]."""
        if x.shape.rank == 2:  # The number of rows may be unknown.
            return self.apply(x, self.weights())
        y = self.apply(tf.reshape(x, [-1, x.shape[-1]]), self.weights())
        return tf.reshape(y, [*x.shape[:-1], y.shape[-1]])


class Classifier(tf.Module):
    """U -> head_units ReLU -> head_units ReLU -> classes, DropConnect on the square kernel.

    Source: paper, section 4; DropConnect: Wan et al. 2013, with inverted scaling.
    """

    def __init__(self, make: Initializer, *, inputs: int, head_units: int, classes: int) -> None:
        super().__init__()
        name = 'classifier'
        self.hidden_1 = Dense(make, f'{name}/hidden_1', inputs=inputs, units=head_units)
        self.hidden_2 = Dense(make, f'{name}/hidden_2', inputs=head_units, units=head_units)
        self.output = Dense(make, f'{name}/output', inputs=head_units, units=classes)

    def __call__(self, h: tf.Tensor, dropconnect: tf.Tensor | None = None) -> tf.Tensor:
        """h [B, U] -> logits [B, classes]; `dropconnect` [F, F] holds 0 or 1 / (1 - rate)."""
        x = tf.nn.relu(self.hidden_1(h))
        x = tf.nn.relu(self.hidden_2(x, dropconnect))
        return self.output(x)

    def dropconnect_mask(self, rate: float, seed: int, step: tf.Tensor) -> tf.Tensor | None:
        """One mask [F, F] per step, a function of (seed, step): the same on all replicas."""
        if rate == 0:
            return None
        kernel = self.hidden_2.kernel
        seeds = tf.stack([tf.constant(seed & 0x7FFFFFFF, tf.int64), tf.cast(step, tf.int64)])
        # Random bits, since XLA turns the same bits into other floats than TensorFlow's kernels.
        bits = tf.random.stateless_uniform(
            kernel.shape, seeds, minval=None, maxval=None, dtype=tf.int32, alg='philox'
        )
        kept = tf.cast(tf.bitwise.bitwise_and(bits, 0x7FFFFF), tf.float32) / 0x800000 >= rate
        return tf.cast(kept, kernel.dtype) / tf.cast(1 - rate, kernel.dtype)
