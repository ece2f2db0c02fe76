"""Keeps the warnings of TensorFlow's libraries out of the terminal.

TF_CPP_MIN_LOG_LEVEL does not reach what logs through Abseil itself, such as the cost estimator of
graphs, whose warnings have 500 characters. Python sets Abseil's level by its symbol alone.
"""

import contextlib
import ctypes
import os

import tensorflow as tf

_ABSEIL = '_ZN4absl12lts_20250127'
_SET = f'{_ABSEIL}14SetMinLogLevelENS0_18LogSeverityAtLeastE'
GET = f'{_ABSEIL}11MinLogLevelEv'
ERROR = 2


def library() -> ctypes.CDLL:
    """The library that holds Abseil's log levels."""
    return ctypes.CDLL(os.path.join(tf.sysconfig.get_lib(), 'libtensorflow_framework.so.2'))


def errors_alone() -> None:
    """Lets Abseil log nothing below errors, or what TF_CPP_MIN_LOG_LEVEL asks for below that.

    Another TensorFlow may have another Abseil: then warnings are shown.
    """
    asked = os.environ.get('TF_CPP_MIN_LOG_LEVEL', '')
    level = min(ERROR, int(asked)) if asked.isdecimal() else ERROR
    with contextlib.suppress(OSError, AttributeError):
        getattr(library(), _SET)(level)
