"""An LSTM classifier in Keras, full BPTT, trained as Keras trains it: for both Keras packages."""

import os
from types import ModuleType

from tools.benchmark.implementations import Built, cores
from tools.benchmark.rows import Candidate, Spec

_CLASSES, _HEAD_UNITS = 10, 256
_OLD_RUNTIME = {'XLA_FLAGS': '--xla_cpu_use_thunk_runtime=false'}


def candidates(spec: Spec) -> list[Candidate]:
    """One thread per operation or one per core; compiled by XLA, by either of its runtimes."""
    del spec
    found = []
    for threads in dict.fromkeys((cores(), 1)):
        found += [
            Candidate({'intra_op_threads': threads, 'jit_compile': False}),
            Candidate({'intra_op_threads': threads, 'jit_compile': True}),
            Candidate({'intra_op_threads': threads, 'jit_compile': True}, _OLD_RUNTIME),
        ]
    return found


def set_threads(spec: Spec) -> None:
    """TensorFlow's threads within an operation; call before it computes."""
    import tensorflow as tf

    options = spec.candidate.options
    tf.config.threading.set_intra_op_parallelism_threads(options['intra_op_threads'])


def build(keras: ModuleType, spec: Spec) -> Built:
    """The classifier and its own compiled training step.

    Args:
      keras: Keras 3 or tf_keras.
      spec: of the measurement.
    """
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input([spec.length, 1], batch_size=spec.batch),
            layers.LSTM(spec.units),
            layers.Dense(_HEAD_UNITS, activation='relu'),
            layers.Dense(_HEAD_UNITS, activation='relu'),
            layers.Dense(_CLASSES),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=spec.candidate.options['jit_compile'],
    )
    inputs = tf.random.stateless_uniform([spec.batch, spec.length, 1], seed=[0, 0])
    labels = tf.range(spec.batch) % _CLASSES

    def step() -> float:
        return float(model.train_on_batch(inputs, labels))

    settings = {
        'inter_op_threads': tf.config.threading.get_inter_op_parallelism_threads() or 'default',
        'XLA_FLAGS': os.environ.get('XLA_FLAGS', ''),
        'holds': 'LSTM on float values, full BPTT, classifier 256-256; no embedding',
        'parameters': model.count_params(),
    }
    return Built(step, settings)
