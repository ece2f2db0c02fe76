"""Keras 3's LSTM, on TensorFlow."""

import importlib
import os

from tools.benchmark.implementations import Built, keras_lstm
from tools.benchmark.rows import Spec

LIBRARIES = ('keras', 'tensorflow')
candidates = keras_lstm.candidates


def load(spec: Spec) -> None:
    """Imports Keras 3."""
    os.environ['KERAS_BACKEND'] = 'tensorflow'
    keras_lstm.set_threads(spec)
    importlib.import_module('keras')


def build(spec: Spec) -> Built:
    """See `keras_lstm.build`."""
    # By name: nothing of the product may import it, and here it is what is measured.
    return keras_lstm.build(importlib.import_module('keras'), spec)
