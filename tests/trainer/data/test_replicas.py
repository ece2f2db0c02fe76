"""Batches dealt out to two replicas, in order, without any left over."""

import pytest
import tensorflow as tf

from trainer.data.batches import Rows
from trainer.data.replicas import ReplicaBatches, local_parts


@pytest.fixture(scope='module')
def strategy():
    cpus = tf.config.list_logical_devices('CPU')
    if len(cpus) < 2:
        pytest.skip('this process has one logical CPU; tests/conftest.py asks for two')
    return tf.distribute.MirroredStrategy([cpus[0].name, cpus[1].name])


def test_each_replica_reads_its_own_rows(strategy):
    assert local_parts(strategy) == [Rows(0, 2), Rows(1, 2)]
    assert local_parts(tf.distribute.OneDeviceStrategy('/cpu:0')) == [Rows(0, 1)]


def test_deals_elements_out_in_turn_and_begins_anew(strategy):
    dataset = tf.data.Dataset.range(6).map(lambda i: {'i': tf.stack([i])})
    batches = ReplicaBatches(strategy, dataset)
    for _ in range(2):
        found = []
        for batch in batches:
            found.append(
                [v.numpy().tolist() for v in strategy.experimental_local_results(batch['i'])]
            )
        assert found == [[[0], [1]], [[2], [3]], [[4], [5]]]


def test_one_device_gets_the_elements_as_they_are():
    strategy = tf.distribute.OneDeviceStrategy('/cpu:0')
    batches = ReplicaBatches(strategy, tf.data.Dataset.range(3))
    assert [int(b) for b in batches] == [0, 1, 2]
