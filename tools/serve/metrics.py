"""What the server counts, for Prometheus."""

import time
from types import TracebackType

import prometheus_client as prometheus

from tools.serve.refusal import Refusal

_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
CONTENT_TYPE = prometheus.CONTENT_TYPE_LATEST


class Metrics:
    """Counters of one server.

    Attributes:
      running: requests that are being answered.
      streams: sessions that are kept.
      rows: items in each computed batch.
    """

    def __init__(self) -> None:
        self._registry = prometheus.CollectorRegistry()
        prometheus.ProcessCollector(registry=self._registry)
        prometheus.PlatformCollector(registry=self._registry)
        self._requests = prometheus.Counter(
            'longhaul_requests', 'Requests by what was answered.', ('protocol', 'method', 'code'),
            registry=self._registry,
        )  # fmt: skip
        self._seconds = prometheus.Histogram(
            'longhaul_request_seconds', 'Seconds from a request to its answer.',
            ('protocol', 'method'), buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self.running = prometheus.Gauge(
            'longhaul_requests_running', 'Requests being answered.', registry=self._registry
        )
        self.streams = prometheus.Gauge(
            'longhaul_streams', 'Sessions of streams that are kept.', registry=self._registry
        )
        self.steps = prometheus.Counter(
            'longhaul_stream_steps', 'Steps that streams have read.', registry=self._registry
        )
        self.rows = prometheus.Histogram(
            'longhaul_batch_rows', 'Items of each computed batch.', buckets=_ROWS,
            registry=self._registry,
        )  # fmt: skip
        self._versions = prometheus.Gauge(
            'longhaul_version_available', '1 for a version that takes requests.',
            ('model', 'version'), registry=self._registry,
        )  # fmt: skip

    def watch(self, protocol: str, method: str) -> 'Watch':
        """Counts and times one request while it is entered."""
        return Watch(self, protocol, method)

    def finished(self, protocol: str, method: str, code: str, seconds: float) -> None:
        """Counts one request.

        Args:
          protocol: 'grpc' or 'rest'.
          method: of the API, or 'none'; never a text of a client's.
          code: that was answered.
          seconds: that it took.
        """
        self._requests.labels(protocol, method, code).inc()
        self._seconds.labels(protocol, method).observe(seconds)

    def page(self, available: dict[str, list[int]]) -> bytes:
        """All of it, in Prometheus's format.

        Args:
          available: the loaded versions, by model.
        """
        self._versions.clear()
        for model, numbers in available.items():
            for number in numbers:
                self._versions.labels(model, number).set(1)
        found: bytes = prometheus.generate_latest(self._registry)
        return found


class Watch:
    """See `Metrics.watch`.

    Attributes:
      method: of the API, to be counted.
      code: to be counted; that of a Refusal is known by itself.
    """

    def __init__(self, metrics: Metrics, protocol: str, method: str) -> None:
        self._metrics, self._protocol, self.method = metrics, protocol, method
        self.code = 'OK' if protocol == 'grpc' else '200'

    def __enter__(self) -> 'Watch':
        self._begun = time.perf_counter()
        self._metrics.running.inc()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _: TracebackType | None,
    ) -> None:
        if isinstance(error, Refusal):
            self.code = error.code.name if self._protocol == 'grpc' else str(error.http)
        elif error is not None:
            self.code = 'ERROR'
        self._metrics.running.dec()
        seconds = time.perf_counter() - self._begun
        self._metrics.finished(self._protocol, self.method, self.code, seconds)
