"""Flags and TF_CONFIG name the workers; what does not go together is refused in one line."""

import json

import pytest

from pipelines.format.errors import LonghaulError
from trainer.devices import cluster
from trainer.devices.cluster import ClusterFlags, Workers

MANY = 'multi_worker_mirrored'
HOSTS = 'a:1,b:2,c:65535'


def tf_config(kind, index, **jobs):
    return json.dumps({'cluster': jobs, 'task': {'type': kind, 'index': index}})


@pytest.fixture(autouse=True)
def _no_tf_config(monkeypatch):
    monkeypatch.delenv('TF_CONFIG', raising=False)


@pytest.mark.parametrize('strategy', [None, 'one_device', 'mirrored'])
def test_one_process_has_no_workers(strategy, monkeypatch):
    assert cluster.find_workers(ClusterFlags(strategy)) is None
    monkeypatch.setenv('TF_CONFIG', '{}')
    assert cluster.find_workers(ClusterFlags(strategy)) is None
    monkeypatch.setenv('TF_CONFIG', tf_config('worker', 0, worker=['a:1']))
    assert cluster.find_workers(ClusterFlags(strategy)) is None


def test_workers_by_flags():
    found = cluster.find_workers(ClusterFlags(MANY, worker_hosts=HOSTS, task_index=2))
    assert found == Workers(('a:1', 'b:2', 'c:65535'), 2)
    assert cluster.find_workers(ClusterFlags(MANY, worker_hosts='a:1')) == Workers(('a:1',), 0)


@pytest.mark.parametrize(
    ('text', 'want'),
    [
        (tf_config('worker', 1, worker=['a:1', 'b:2']), Workers(('a:1', 'b:2'), 1)),
        (tf_config('chief', 0, worker=['b:2'], chief=['a:1']), Workers(('a:1', 'b:2'), 0)),
        (tf_config('worker', 0, worker=['b:2'], chief=['a:1']), Workers(('a:1', 'b:2'), 1)),
    ],
)
def test_workers_by_tf_config(text, want, monkeypatch):
    monkeypatch.setenv('TF_CONFIG', text)
    assert cluster.find_workers(ClusterFlags(MANY)) == want


@pytest.mark.parametrize(
    ('flags', 'words'),
    [
        ({'strategy': 'mirored'}, ['mirored', 'one_device', 'tpu']),
        ({'strategy': 'tpu'}, ['--tpu=local']),
        ({'tpu': 'local'}, ['--tpu=local', '--distribution_strategy=tpu']),
        ({'strategy': 'mirrored', 'worker_hosts': 'a:1'}, ['--worker_hosts=a:1', MANY]),
        ({'strategy': None, 'task_index': 0}, ['--task_index=0', MANY]),
        ({'strategy': MANY}, ['--worker_hosts=', 'TF_CONFIG']),
        ({'strategy': MANY, 'worker_hosts': HOSTS}, ['--task_index', '0..2']),
        ({'strategy': MANY, 'worker_hosts': HOSTS, 'task_index': 3}, ['--task_index=3', '0..2']),
        ({'strategy': MANY, 'worker_hosts': HOSTS, 'task_index': -1}, ['--task_index=-1', '0..2']),
        ({'strategy': MANY, 'worker_hosts': 'a,b:1', 'task_index': 0}, ["'a'", 'host:port']),
        ({'strategy': MANY, 'worker_hosts': 'a:1,', 'task_index': 0}, ["''", 'host:port']),
        ({'strategy': MANY, 'worker_hosts': 'a:70000', 'task_index': 0}, ['a:70000', 'host:port']),
        ({'strategy': MANY, 'worker_hosts': 'grpc://a:1', 'task_index': 0}, ['host:port']),
        ({'strategy': MANY, 'worker_hosts': 'a:1,a:1', 'task_index': 0}, ['twice']),
    ],
)
def test_flags_that_do_not_go_together(flags, words):
    with pytest.raises(LonghaulError) as caught:
        cluster.find_workers(ClusterFlags(**flags))
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ('text', 'flags', 'words'),
    [
        ('{', {'strategy': MANY}, ['TF_CONFIG', 'not of the form']),
        ('[]', {'strategy': MANY}, ['TF_CONFIG', 'not of the form']),
        ('{"cluster": {}}', {'strategy': MANY}, ['TF_CONFIG', 'not of the form']),
        (tf_config('worker', 2, worker=['a:1', 'b:2']), {'strategy': MANY}, ['worker 2', '2 of']),
        (tf_config('ps', 0, worker=['a:1'], ps=['b:2']), {'strategy': MANY}, ["'ps'"]),
        (tf_config('evaluator', 0, worker=['a:1']), {'strategy': MANY}, ["'evaluator'"]),
        (tf_config('worker', 0, worker=['a']), {'strategy': MANY}, ['TF_CONFIG', 'host:port']),
        (
            tf_config('worker', 0, worker=['a:1', 'b:2']),
            {'strategy': MANY, 'worker_hosts': 'a:1,b:2', 'task_index': 0},
            ['TF_CONFIG is set', '--worker_hosts'],
        ),
        (tf_config('worker', 0, worker=['a:1', 'b:2']), {'strategy': 'mirrored'}, ['2 workers']),
        (tf_config('worker', 0, worker=['a:1', 'b:2']), {}, ['2 workers', MANY]),
    ],
)
def test_a_tf_config_that_does_not_fit(text, flags, words, monkeypatch):
    monkeypatch.setenv('TF_CONFIG', text)
    with pytest.raises(LonghaulError) as caught:
        cluster.find_workers(ClusterFlags(**flags))
    for word in words:
        assert word in str(caught.value)
