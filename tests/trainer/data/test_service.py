"""Batches through a tf.data service are the batches, in the order, of reading here."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small_data
from whole_runs import execute, variables

from pipelines.format import records
from tools.data_service import __main__ as data_service
from tools.data_service.servers import serve
from trainer import bindings
from trainer.data import service
from trainer.data.batches import Rows, SplitInput
from trainer.data.service import ServiceBatches

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope='module')
def servers():
    """A dispatcher and two workers."""
    return serve(port=0, workers=2, dispatcher=None)


def own_address():
    """An address of this machine that others would use; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(('10.255.255.255', 1))
        except OSError:
            pytest.skip('this machine has no network')
        return probe.getsockname()[0]


def reaches(host, target):
    try:
        socket.create_connection((host, int(target.rpartition(':')[2])), timeout=0.5).close()
    except OSError:
        return False
    return True


def test_others_do_not_reach_it_unless_it_is_opened(servers):
    """Dispatcher and workers; what comes from an address that is not loopback is dropped."""
    ports = [server.target if server is servers[0] else server._address for server in servers]
    for target in ports:
        assert reaches('127.0.0.1', target)
        assert not reaches(own_address(), target)
    (opened,) = serve(port=0, workers=0, dispatcher=None, to_others=True)
    assert reaches(own_address(), opened.target)


def test_a_worker_of_another_machine_needs_to_be_opened(capsys):
    assert data_service.main(['--dispatcher=grpc://192.0.2.1:5050']) == 1
    assert '--dispatcher=grpc://192.0.2.1:5050: is on another' in capsys.readouterr().err


def split_of(folder, *params):
    config = bindings.load(gin_files=[], gin_params=[*small_data.TINY_RUN, *params], records=folder)
    info = records.read_info(folder)
    return SplitInput(folder, 'train', info, config.objective, seed=0)


def assert_same(served, local, count):
    for got, want in zip(
        itertools.islice(served, count), itertools.islice(local, count), strict=True
    ):
        assert got.keys() == want.keys()
        for name, value in want.items():
            assert got[name].dtype == value.dtype
            np.testing.assert_array_equal(got[name], value, err_msg=name)


@pytest.mark.parametrize('data', ['digit_records', 'text_records'])
def test_the_same_batches_in_the_same_order(request, servers, monkeypatch, data):
    """Over stretches, epochs, anchor sets stored and not stored, coins of the decoder."""
    monkeypatch.setattr(service, '_STRETCH', 7)
    params = ['ObjectiveConfig.teacher_forcing_rate=0.5']
    split = split_of(request.getfixturevalue(data), *params)
    order = split.order(16)
    parts = [Rows(0, 2), Rows(1, 2)]
    served = ServiceBatches(split, order, first_step=3, parts=parts, address=servers[0].target)
    assert_same(served, split.training(order, first_step=3, parts=parts), 80)


@pytest.mark.long
def test_what_a_lost_worker_took_is_read_here(digit_records, servers, monkeypatch):
    """Every third element never arrives."""
    monkeypatch.setattr(service, '_STRETCH', 9)
    real = ServiceBatches._next

    def forgetful(self, found):
        element = real(self, found)
        lost = element is not None and int(element['position']) % 3 == 0
        return forgetful(self, found) if lost else element

    monkeypatch.setattr(ServiceBatches, '_next', forgetful)
    split = split_of(digit_records)
    order, parts = split.order(16), [Rows(0, 1)]
    served = ServiceBatches(split, order, first_step=0, parts=parts, address=servers[0].target)
    assert_same(served, split.training(order, first_step=0, parts=parts), 20)


@pytest.mark.long
def test_a_run_with_workers_in_another_process_ends_with_the_same_bits(
    digit_records, tmp_path, capsys
):
    """As typed: python -m tools.data_service, then the trainer; and after the service's end."""
    gin_file = tmp_path / 'tiny.gin'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, 'RunConfig.train_steps=6']) + '\n')
    with subprocess.Popen(
        [sys.executable, '-m', 'tools.data_service', '--port=0', '--workers=2'],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        address = re.search(r"'(grpc://.*)'", server.stdout.readline())[1]
        there = f'DataConfig.service="{address}"'
        run = (str(gin_file), tmp_path / 'there', 'train', there)
        assert execute(*run, records=digit_records) == 0
        os.kill(server.pid, signal.SIGTERM)
        assert server.wait(timeout=60) == 0
    assert execute(str(gin_file), tmp_path / 'here', 'train', records=digit_records) == 0
    want = variables(tmp_path / 'here')
    for name, value in variables(tmp_path / 'there').items():
        np.testing.assert_array_equal(value, want[name], err_msg=name)


def test_a_damaged_record_is_refused(digit_records, servers, tmp_path):
    copy = tmp_path / 'records'
    copy.mkdir()
    for path in Path(digit_records).iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    split = split_of(str(copy))
    shard = next(copy.glob('train-*.tfrecord'))
    data = bytearray(shard.read_bytes())
    data[int(split.reader.entries['offset'][5]) + 20] ^= 1
    shard.write_bytes(data)
    order = split.order(16)
    served = ServiceBatches(
        split, order, first_step=0, parts=[Rows(0, 1)], address=servers[0].target
    )
    with pytest.raises(Exception, match='damaged record.*pipelines.main --overwrite'):
        list(itertools.islice(served, order.steps_per_epoch))


def test_refusals(digit_records, tmp_path, capsys):
    gin_file = tmp_path / 'tiny.gin'
    gin_file.write_text('\n'.join([*small_data.TINY_RUN, 'RunConfig.train_steps=6']) + '\n')
    wrong = 'DataConfig.service="host:5050"'
    assert execute(str(gin_file), tmp_path / 'run', 'train', wrong, records=digit_records) == 2
    assert "service='host:5050': grpc://host:port is needed" in capsys.readouterr().err
