"""keras3 and tf_keras: an LSTM classifier, full BPTT, trained as Keras trains it."""

import importlib
import os
from types import ModuleType

from tools.benchmark.step.implementations import Built
from tools.benchmark.step.implementations.batches import CLASSES, made_up_batch
from tools.benchmark.step.rows import Spec

# Several threads per operation were slower, and so was XLA.
_HEAD_UNITS, _THREADS = 256, 1
# By name: nothing of the product imports Keras 3, and here it is what is measured.
_PACKAGES = {'keras3': 'keras', 'tf_keras': 'tf_keras'}


def load(spec: Spec) -> None:
    """Imports Keras; sets TensorFlow's threads within an operation, before it computes."""
    os.environ['KERAS_BACKEND'] = 'tensorflow'
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(_THREADS)
    _package(spec)


def _package(spec: Spec) -> ModuleType:
    return importlib.import_module(_PACKAGES[spec.implementation])


def build(spec: Spec) -> Built:
    """The classifier and its own compiled training step."""
    import tensorflow as tf

    keras = _package(spec)
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input([spec.length, 1], batch_size=spec.batch),
            layers.LSTM(spec.units),
            layers.Dense(_HEAD_UNITS, activation='relu'),
            layers.Dense(_HEAD_UNITS, activation='relu'),
            layers.Dense(CLASSES),
        ]
    )
    model.compile(
        optimizer=keras.optimizers.RMSprop(learning_rate=0.001, rho=0.9, global_clipnorm=1.0),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    batch = made_up_batch(spec)
    inputs = tf.constant(batch['inputs'], tf.float32) / 255
    labels = tf.constant(batch['labels'])

    def step() -> float:
        return float(model.train_on_batch(inputs, labels))

    settings = {
        'intra_op_threads': _THREADS,
        'jit_compile': False,
        'inter_op_threads': tf.config.threading.get_inter_op_parallelism_threads() or 'default',
        'holds': 'LSTM on float values, full BPTT, classifier 256-256; no embedding',
        'parameters': model.count_params(),
    }
    return Built(step, settings)
