"""The matrix products that no gradient-free pass over T steps can do without.

[B/2, U] x [U, 4U], T times, each on the result before it; one half of the batch per core. No
activation, no bias, no input: what a pass takes longer than this is its own doing.
"""

from typing import TYPE_CHECKING

from tools.benchmark.machine import cores
from tools.benchmark.step.implementations import Built
from tools.benchmark.step.rows import Spec

if TYPE_CHECKING:
    import tensorflow as tf


def load(spec: Spec) -> None:
    """Imports TensorFlow: one thread per operation, one loop per core."""
    del spec
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(cores())


def build(spec: Spec) -> Built:
    """All products of a batch; the "loss" is their last result's mean square, about 1."""
    import tensorflow as tf

    units, parts = spec.units, min(cores(), spec.batch)
    kernel = _kernel(units)
    sizes = [spec.batch * (i + 1) // parts - spec.batch * i // parts for i in range(parts)]
    starts = [tf.random.stateless_normal([size, 4 * units], seed=[0, 1]) for size in sizes]

    @tf.function(autograph=False, jit_compile=True)
    def loop(start: tf.Tensor) -> tf.Tensor:
        return _loop(start, kernel, steps=spec.length)

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        ends = [tf.reduce_mean(tf.square(loop(start)[:, :units])) for start in starts]
        return tf.add_n(ends) / parts

    return Built(lambda: float(step()), {'rows_of_each_loop': sizes, 'intra_op_threads': 1})


def _kernel(units: int) -> 'tf.Tensor':
    """[U, 4U], its first U columns orthonormal: what is fed back keeps its size over any T."""
    import tensorflow as tf

    square, _ = tf.linalg.qr(tf.random.stateless_normal([units, units], seed=[0, 2]))
    rest = tf.random.stateless_normal([units, 3 * units], seed=[0, 3]) / units**0.5
    return tf.concat([square, rest], axis=1)


def _loop(y: 'tf.Tensor', kernel: 'tf.Tensor', *, steps: int) -> 'tf.Tensor':
    """`steps` products; y: [rows, 4U]."""
    import tensorflow as tf

    units = kernel.shape[0]

    def body(t: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        # The first U columns of all 4U: XLA cannot leave the others out, they are carried.
        return t + 1, tf.matmul(y[:, :units], kernel)

    _, y = tf.while_loop(lambda t, _: t < steps, body, (tf.constant(0), y), parallel_iterations=1)
    return y
