"""The LSTM of tf_keras, the Keras that Model Garden uses."""

from tools.benchmark.implementations import Built, keras_lstm
from tools.benchmark.rows import Spec

LIBRARIES = ('tf_keras', 'tensorflow')
candidates = keras_lstm.candidates


def load(spec: Spec) -> None:
    """Imports tf_keras."""
    keras_lstm.set_threads(spec)
    import tf_keras  # noqa: F401


def build(spec: Spec) -> Built:
    """See `keras_lstm.build`."""
    import tf_keras

    return keras_lstm.build(tf_keras, spec)
