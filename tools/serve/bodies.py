"""The bodies of gRPC's calls: how many bytes of them are in memory at once.

How long a message is shows only once all of it is here. So a call first gets a place for the
largest message allowed, and nothing of its message is read without one; then it keeps as much as
its message has, until it is answered.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import grpc
from google.protobuf.message import DecodeError

from tools.serve.limits import MOST_BODIES
from tools.serve.metrics import Metrics
from tools.serve.refusal import Refusal, busy


class Bodies(grpc.ServerInterceptor):  # type: ignore[misc]
    """Reads the message of each call once there is a place for it."""

    def __init__(self, *, largest: int, seconds: float, metrics: Metrics) -> None:
        """Makes the places.

        Args:
          largest: bytes of a message.
          seconds: that a call waits for a place; a message that has not come after half of them is
            given up if others wait.
          metrics: that count the refused ones.
        """
        self._largest, self._seconds, self._metrics = largest, seconds, metrics
        self._free, self._changed = MOST_BODIES * largest, threading.Condition()
        # When each message that is being received began, and what gives it up.
        self._received: dict[object, tuple[float, Callable[[], Any]]] = {}

    def intercept_service(self, continuation: Callable[[Any], Any], details: Any) -> Any:
        """As a stream of one message: gRPC would read that of a unary call by itself."""
        handler = continuation(details)
        if handler is None or handler.unary_unary is None:
            return handler

        def answer(messages: Iterator[bytes], context: grpc.ServicerContext) -> Any:
            """Answers a call."""
            with contextlib.ExitStack() as held:
                try:
                    # Its bytes are not kept beside what is parsed of them.
                    request = handler.request_deserializer(self._receive(messages, context, held))
                except Refusal as refused:
                    self._metrics.finished('grpc', 'none', refused.code.name, 0.0)
                    _abort(context, refused.code, refused.message)
                except (StopIteration, DecodeError):
                    _abort(context, grpc.StatusCode.INTERNAL, 'the message cannot be read')
                return handler.unary_unary(request, context)

        return grpc.stream_unary_rpc_method_handler(
            answer, response_serializer=handler.response_serializer
        )

    def _receive(
        self, messages: Iterator[bytes], context: grpc.ServicerContext, held: contextlib.ExitStack
    ) -> bytes:
        call = object()
        self._take_place(call, context.cancel)
        size = self._largest
        try:
            message = next(messages)
            size = len(message)
        finally:
            with self._changed:
                del self._received[call]
            self._give_back(self._largest - size)
            held.callback(self._give_back, size)
        return message

    def _take_place(self, call: object, give_up: Callable[[], Any]) -> None:
        until = time.monotonic() + self._seconds
        with self._changed:
            while self._free < self._largest:
                if time.monotonic() >= until:
                    raise busy('too many bytes are being received; try again later')
                self._give_up_slow_ones()
                self._changed.wait(min(1.0, self._seconds / 4))
            self._free -= self._largest
            self._received[call] = (time.monotonic(), give_up)

    def _give_up_slow_ones(self) -> None:
        latest = time.monotonic() - self._seconds / 2
        for began, give_up in list(self._received.values()):
            if began < latest:
                give_up()

    def _give_back(self, size: int) -> None:
        with self._changed:
            self._free += size
            self._changed.notify_all()


def _abort(context: grpc.ServicerContext, code: grpc.StatusCode, message: str) -> NoReturn:
    context.abort(code, message)
    raise AssertionError('abort raises')
