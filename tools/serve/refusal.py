"""What the server answers to a request that it does not take."""

import grpc

# As TensorFlow Serving's http_server.cc has them. What is not named here is an error of the server.
_HTTP = {
    grpc.StatusCode.CANCELLED: 499,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.DEADLINE_EXCEEDED: 504,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.ALREADY_EXISTS: 409,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 429,
    grpc.StatusCode.FAILED_PRECONDITION: 400,
    grpc.StatusCode.ABORTED: 409,
    grpc.StatusCode.OUT_OF_RANGE: 400,
    grpc.StatusCode.UNIMPLEMENTED: 501,
    grpc.StatusCode.UNAVAILABLE: 503,
}


class Refusal(Exception):  # noqa: N818
    """A request that is not answered, and why.

    Attributes:
      code: of gRPC.
      http: status code of REST.
      message: for the client.
    """

    def __init__(self, code: grpc.StatusCode, message: str, *, http: int | None = None) -> None:
        super().__init__(message)
        self.code, self.message = code, message
        self.http = http or _HTTP.get(code, 500)


def invalid(message: str) -> Refusal:
    """A request that makes no sense: 400."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, message)


def missing(message: str) -> Refusal:
    """A request for what is not there: 404."""
    return Refusal(grpc.StatusCode.NOT_FOUND, message)


def busy(message: str) -> Refusal:
    """A request beyond what the server takes at once: 429."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message)


def too_large(message: str) -> Refusal:
    """A body beyond the limit: 413."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, message, http=413)


def too_late(message: str) -> Refusal:
    """A request whose time is over: 504."""
    return Refusal(grpc.StatusCode.DEADLINE_EXCEEDED, message)
