"""Workers wait for each other, but not forever."""

import concurrent.futures
import socket
import time

import pytest
import worker_runs

from pipelines.format.errors import LonghaulError
from trainer.devices import rendezvous
from trainer.devices.cluster import Workers


def test_all_go_on_when_the_last_one_has_come():
    """Each goes on to a server of its own on the same port, as TensorFlow's is."""
    hosts = tuple(worker_runs.free_hosts(3))

    def come(index: int) -> socket.socket:
        time.sleep(0.5 * index)
        rendezvous.meet(Workers(hosts, index), patience=30)
        return socket.create_server(rendezvous.split_address(hosts[index]))

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        servers = list(pool.map(come, range(3)))
    for server in servers:
        server.close()


def test_one_worker_waits_for_nobody():
    rendezvous.meet(Workers(tuple(worker_runs.free_hosts(1)), 0), patience=0)


def test_whoever_does_not_come_is_named():
    hosts = tuple(worker_runs.free_hosts(2))
    with pytest.raises(LonghaulError, match=rf'worker 1 \({hosts[1]}\): not reached within 1 s'):
        rendezvous.meet(Workers(hosts, 0), patience=1)


def test_a_name_that_nobody_has_is_a_worker_that_does_not_come():
    hosts = (*worker_runs.free_hosts(1), 'no-such-host.invalid:80')
    with pytest.raises(LonghaulError, match='no-such-host'):
        rendezvous.meet(Workers(hosts, 0), patience=0)


def test_a_port_in_use_is_refused():
    with socket.create_server(('', 0)) as taken:
        host = f'127.0.0.1:{taken.getsockname()[1]}'
        with pytest.raises(LonghaulError, match=f'{host}: this worker cannot listen on port'):
            rendezvous.meet(Workers((host,), 0))
