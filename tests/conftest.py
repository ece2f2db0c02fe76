"""Quiet TensorFlow, and small records that many tests share."""

import os

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import pytest
import small_data


@pytest.fixture(scope='session')
def digit_records(tmp_path_factory) -> str:
    """Records of 200 digits a split at 8x8: 64 steps in segments of 20."""
    return small_data.digit_records(tmp_path_factory.mktemp('digits') / 'records')


@pytest.fixture(scope='session')
def text_records(tmp_path_factory) -> str:
    """Records of some documents of 1 to 90 bytes in two classes, in segments of 10."""
    return small_data.text_records(tmp_path_factory.mktemp('texts'))
