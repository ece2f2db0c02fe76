"""How many bytes of gRPC's messages are in memory at once, of a service that answers their size."""

import contextlib
import threading
import time
from concurrent import futures

import grpc
import pytest
from google.protobuf.wrappers_pb2 import BytesValue, Int64Value

from tools.serve.bodies import Bodies
from tools.serve.limits import MOST_BODIES
from tools.serve.metrics import Metrics

LARGEST, METHOD = 1000, '/some.Service/Size'


class Service:
    """A server in this process.

    Attributes:
      go: answers wait for it.
      begun: answers that have begun.
    """

    def __init__(self):
        self.go, self.begun = threading.Event(), 0

    def size(self, request, context):
        del context
        self.begun += 1
        assert self.go.wait(20)
        return Int64Value(value=len(request.value))

    @contextlib.contextmanager
    def running(self, *, seconds):
        bodies = Bodies(largest=LARGEST, seconds=seconds, metrics=Metrics())
        server = grpc.server(futures.ThreadPoolExecutor(40), interceptors=[bodies])
        handler = grpc.unary_unary_rpc_method_handler(
            self.size, BytesValue.FromString, Int64Value.SerializeToString
        )
        server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler('some.Service', {'Size': handler})]
        )
        port = server.add_insecure_port('localhost:0')
        server.start()
        with grpc.insecure_channel(f'localhost:{port}') as self.channel:
            yield
        server.stop(None).wait()

    def ask(self, size):
        call = self.channel.unary_unary(METHOD, None, Int64Value.FromString)
        return call.future(BytesValue(value=bytes(size)).SerializeToString(), timeout=20)

    def until(self, begun):
        end = time.monotonic() + 20
        while self.begun < begun:
            assert time.monotonic() < end
            time.sleep(0.01)


@pytest.fixture
def service():
    return Service()


def test_bodies_beyond_the_bound_are_refused_and_room_is_given_back(service):
    with service.running(seconds=0.2):
        large = [service.ask(900) for _ in range(MOST_BODIES)]
        service.until(MOST_BODIES)
        for size in (900, 1):
            refused = service.ask(size)
            assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert refused.details() == 'too many bytes are being received; try again later'
        service.go.set()
        assert [one.result().value for one in large] == [900] * MOST_BODIES
        assert service.ask(900).result().value == 900


def test_small_ones_are_taken_all_at_once(service):
    with service.running(seconds=10):
        small = [service.ask(100) for _ in range(4 * MOST_BODIES)]
        service.until(4 * MOST_BODIES)
        service.go.set()
        assert {one.result().value for one in small} == {100}


def test_messages_that_do_not_come_give_way(service):
    never = threading.Event()
    with service.running(seconds=1):
        service.go.set()
        call = service.channel.stream_unary(METHOD)
        slow = [call.future(iter(never.wait, True), timeout=20) for _ in range(MOST_BODIES)]
        time.sleep(0.1)
        assert service.ask(900).result().value == 900
        assert {one.code() for one in slow} == {grpc.StatusCode.CANCELLED}
        never.set()


@pytest.mark.parametrize('messages', [[], [b'\xff']], ids=['none', 'noise'])
def test_what_is_no_message_is_said(service, messages):
    with service.running(seconds=1):
        call = service.channel.stream_unary(METHOD).future(iter(messages), timeout=20)
        assert call.code() is grpc.StatusCode.INTERNAL
        assert call.details() == 'the message cannot be read'
