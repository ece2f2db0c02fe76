"""Requests that are computed together: their answers, and what one that fails does to others."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import exports
import grpc
import numpy as np
import pytest

from tools.serve.batches import Asked, key_of
from tools.serve.batching import Batcher
from tools.serve.metrics import Metrics
from tools.serve.models.loaded import LoadedModel
from tools.serve.models.version import Version
from tools.serve.refusal import Refusal, invalid


def strings(*items: bytes) -> np.ndarray:
    return np.array([*items, None], object)[:-1]


class Model:
    """Says how long each text is; refuses '!', and remembers its batches."""

    spec = None

    def __init__(self, signatures):
        self.signatures, self.batches, self.go = signatures, [], threading.Event()

    def run(self, signature, inputs, wanted):
        self.go.wait(10)
        self.batches.append([bytes(item) for item in inputs['data']])
        if b'!' in inputs['data']:
            raise invalid('no shouting')
        return {'length': np.array([len(item) for item in inputs['data']])}


@pytest.fixture(scope='module')
def bytes_version(exported):
    version = Version(7, (0, 0, 0))
    version.begin(LoadedModel(exported('bytes'), seconds=60))
    yield version
    version.model.close()


@pytest.fixture
def fake(bytes_version):
    version = Version(7, (0, 0, 0))
    version.begin(Model(bytes_version.model.signatures))
    return version


def together(version, *items, most=8, threads=1, seconds=0.01, before=None):
    """Asks for each of some lists of items at the same time; returns answers or refusals."""

    async def run():
        batcher = Batcher(most=most, seconds=seconds, threads=threads, metrics=Metrics())
        asked = [Asked('serving_default', {'data': strings(*i)}) for i in items]
        tasks = [asyncio.ensure_future(batcher.compute(version, a)) for a in asked]
        await asyncio.sleep(0)
        if before is not None:
            before(tasks)
        version.model.go.set()
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await batcher.close()
        return found

    return asyncio.run(run())


def test_each_gets_its_own_rows(fake):
    found = together(fake, [b'a'], [b'bb', b'ccc'], [b'dddd'])
    assert [f['length'].tolist() for f in found] == [[1], [2, 3], [4]]
    assert fake.model.batches == [[b'a', b'bb', b'ccc', b'dddd']]


def test_a_batch_is_no_larger_than_allowed(fake):
    found = together(fake, *[[b'a', b'b']] * 5, most=4)
    assert all(f['length'].tolist() == [1, 1] for f in found)
    assert [len(batch) for batch in fake.model.batches] == [4, 4, 2]


def test_what_is_as_large_as_a_batch_is_computed_alone(fake):
    together(fake, [b'a'] * 9, [b'b'], [b'c'], most=4)
    assert sorted(map(len, fake.model.batches)) == [2, 9]


def test_one_that_fails_fails_alone(fake):
    items = [[b'a'], [b'bb'], [b'!'], [b'ccc'], [b'dddd']]
    found = together(fake, *items)
    assert isinstance(found[2], Refusal)
    assert [f['length'].tolist() for i, f in enumerate(found) if i != 2] == [[1], [2], [3], [4]]


def test_who_has_gone_is_not_computed(fake):
    found = together(fake, [b'a'], [b'bb'], before=lambda tasks: tasks[0].cancel())
    assert isinstance(found[0], asyncio.CancelledError)
    assert fake.model.batches == [[b'bb']]


def test_texts_of_other_sizes_do_not_wait_for_long_ones(fake):
    found = together(fake, [b'a'], [b'b' * 100_000], [b'c'])
    assert [f['length'].tolist() for f in found] == [[1], [100_000], [1]]
    assert sorted(map(len, fake.model.batches)) == [1, 2]


def test_what_is_running_is_not_unloaded(fake):
    async def run():
        batcher = Batcher(most=8, seconds=0.001, threads=1, metrics=Metrics())
        with fake.held():
            asked = Asked('serving_default', {'data': strings(b'a')})
            task = asyncio.ensure_future(batcher.compute(fake, asked))
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.sleep(0)
        end = asyncio.ensure_future(fake.end())
        await asyncio.sleep(0.05)
        assert not end.done()
        fake.model.go.set()
        assert await asyncio.wait_for(end, 10) is not None
        await batcher.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ('signature', 'inputs', 'joined'),
    [
        ('serving_default', {'data': strings(b'a')}, True),
        ('encode', {'data': strings(b'a')}, True),
        ('classify', {'h': np.zeros([2, exports.UNITS], np.float32)}, True),
        ('decode', {'data': strings(b'a')}, False),
        ('start', {'batch_size': np.array(1, np.int32)}, False),
        ('serving_default', {'data': strings()}, False),
        ('serving_default', {'data': np.array(b'a', object)}, False),
        ('classify', {'h': np.zeros([2, 3], np.float32)}, False),
    ],
)
def test_what_can_be_joined(bytes_version, signature, inputs, joined):
    assert (key_of(bytes_version, Asked(signature, inputs)) is not None) == joined


def test_chunks_are_joined_with_chunks_of_their_length(bytes_version):
    def key(steps):
        inputs = {'inputs': np.zeros([1, steps], np.uint8), 'lengths': np.array([1], np.int32)}
        return key_of(bytes_version, Asked('advance', inputs | {'h': np.zeros([1, 6], np.float32)}))

    assert key(3) == key(3) != key(4)


@pytest.mark.parametrize('kind', ['bytes', pytest.param('image', marks=pytest.mark.long)])
def test_answers_are_those_of_requests_alone(server, exported, kind):
    model = exports.Loaded(exported(kind))
    items = [exports.items_of(kind, 1 + i % 3, seed=i) for i in range(24)]

    def ask(data):
        import base64

        body = {'inputs': {'data': [{'b64': base64.b64encode(d).decode()} for d in data]}}
        return server.http(f'/v1/models/{kind}:predict', body)[1]['outputs']

    with ThreadPoolExecutor(8) as pool:
        for data, found in zip(items, pool.map(ask, items), strict=True):
            want = model.call('serving_default', data=data)
            assert found['readable'] == want['readable'].tolist()
            np.testing.assert_allclose(found['probabilities'], want['probabilities'], atol=1e-5)


def test_a_computation_that_takes_too_long_is_given_up(exported):
    model, steps = LoadedModel(exported('bytes'), seconds=0.05), 2_000_000
    inputs = {'inputs': np.zeros([1, steps], np.uint8), 'lengths': np.array([steps], np.int32)}
    with pytest.raises(Refusal) as refused:
        model.run('tokens', inputs)
    assert refused.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert refused.value.http == 504
    model.close()
