"""Loads TensorFlow without Keras, which takes as long to load and has no use in the job."""

import sys


def load_tensorflow() -> None:
    """Imports TensorFlow, unless that has happened.

    TensorFlow loads Keras 3 for those who will need it, and goes without where it is not installed.
    It is hidden during this import alone; who wants it later finds it.
    """
    if 'tensorflow' in sys.modules or 'keras' in sys.modules:
        return
    # Python's mark of a module that is not there.
    sys.modules['keras'] = None  # type: ignore[assignment]
    try:
        import tensorflow  # noqa: F401
    finally:
        del sys.modules['keras']
