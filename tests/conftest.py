"""Quiet TensorFlow, and small records that many tests share."""

import functools
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

import pytest
import signal_data
import small_data

_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--minutes=N`: tests that have not begun by then are skipped, so that a run has an end."""
    parser.addoption('--minutes', type=float, help='skip tests that have not begun by then')


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_BEGAN] = time.monotonic()


def pytest_runtest_setup(item: pytest.Item) -> None:
    minutes = item.config.getoption('--minutes')
    if minutes is not None and time.monotonic() - item.config.stash[_BEGAN] > 60 * minutes:
        pytest.skip(f'not begun: --minutes={minutes:g} have passed')


@pytest.fixture(autouse=True)
def no_bindings_left() -> Iterator[None]:
    """Whatever a test binds with gin holds for that test alone."""
    yield
    if 'gin' in sys.modules:
        sys.modules['gin'].clear_config()


@pytest.fixture(scope='session')
def digit_records(tmp_path_factory) -> str:
    """Records of 200 digits a split at 8x8: 64 steps in segments of 20."""
    return small_data.digit_records(tmp_path_factory.mktemp('digits') / 'records')


@pytest.fixture(scope='session')
def text_records(tmp_path_factory) -> str:
    """Records of some documents of 1 to 90 bytes in two classes, in segments of 10."""
    return small_data.text_records(tmp_path_factory.mktemp('texts'))


@pytest.fixture(scope='session')
def signal_records(tmp_path_factory) -> str:
    """Records of signals: three channels of float16, 1 to 90 steps, in segments of 10."""
    return signal_data.signal_records(tmp_path_factory.mktemp('signals'))


@pytest.fixture(scope='session')
def exported(tmp_path_factory) -> Callable[[str], str]:
    """The folder of an export by kind, see `exports`; each is written once."""
    import exports

    return functools.cache(lambda kind: exports.export_of(kind, tmp_path_factory.mktemp(kind)))


@pytest.fixture(scope='session')
def server(exported) -> Iterator[Any]:
    """`tools.serve` with a model of each kind by its name; version 7, of 'bytes' also 9."""
    import exports
    import serving

    models = {kind: {7: exported(kind)} for kind in exports.KINDS}
    models['bytes'][9] = exported('bytes')
    with serving.serve(models, versions='all') as running:
        yield running


@pytest.fixture(scope='session', autouse=True)
def two_logical_cpus() -> None:
    """For tests with two replicas; before TensorFlow computes anything."""
    import tensorflow as tf

    cpu = tf.config.list_physical_devices('CPU')[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)


@pytest.fixture(scope='session')
def strategies() -> dict[str, Any]:
    """'one' device and 'two' mirrored replicas on CPUs.

    Made once: the collectives of a second MirroredStrategy in one process clash with the first's.
    """
    import tensorflow as tf

    cpus = [d.name for d in tf.config.list_logical_devices('CPU')]
    return {
        'one': tf.distribute.OneDeviceStrategy(cpus[0]),
        'two': tf.distribute.MirroredStrategy(cpus[:2]),
    }


@pytest.fixture(scope='session')
def one_bucket_texts(tmp_path_factory):
    """Documents of one padded length: a run traces its steps once."""
    return small_data.text_records(tmp_path_factory.mktemp('texts'), segment_steps=90)
