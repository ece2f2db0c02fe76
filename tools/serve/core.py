"""What both protocols ask for: predictions, metadata and the status of models."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import NamedTuple

from tensorflow.core.protobuf import meta_graph_pb2

from tools.serve.batches import Asked
from tools.serve.batching import Batcher
from tools.serve.limits import Gate, Limits
from tools.serve.metrics import Metrics
from tools.serve.models.loaded import Arrays
from tools.serve.models.version import Version
from tools.serve.models.versions import Versions
from tools.serve.refusal import missing, too_late


class Which(NamedTuple):
    """A model as a client names it: its newest version, or a number, or a label."""

    model: str
    number: int | None = None
    label: str = ''


class Core:
    """The models, and how they are asked; used in the event loop's thread alone.

    Attributes:
      limits: of requests.
      gate: that lets requests in.
      metrics: of the server.
      stopping: whether it takes no more requests.
    """

    def __init__(
        self, models: dict[str, Versions], *, batcher: Batcher, limits: Limits, metrics: Metrics
    ) -> None:
        self._models, self._batcher = models, batcher
        self.limits, self.metrics, self.gate = limits, metrics, Gate(limits.requests)
        self.stopping = False

    @property
    def names(self) -> list[str]:
        """The names of the models."""
        return list(self._models)

    def versions(self, model: str) -> Versions:
        """The versions of a model.

        Raises:
          Refusal: if there is no such model.
        """
        if model not in self._models:
            raise missing(f'Servable not found for request: Latest({model})')
        return self._models[model]

    @contextlib.contextmanager
    def held(self, which: Which) -> Iterator[Version]:
        """A version that stays loaded while entered.

        Raises:
          Refusal: if there is none.
        """
        if which.model not in self._models and which.number is not None:
            asked = f'Specific({which.model}, {which.number})'
            raise missing(f'Servable not found for request: {asked}')
        with self.versions(which.model).find(which.number, which.label).held() as version:
            yield version

    async def predict(
        self, which: Which, asked: Asked, *, seconds: float | None = None
    ) -> tuple[int, Arrays]:
        """Asks a model.

        Args:
          which: model.
          asked: signature and inputs.
          seconds: until the client gives up; None: the server's limit.

        Returns:
          The number of the version, and its outputs by name.

        Raises:
          Refusal: if it is not answered.
        """
        with self.held(which) as version:
            return version.number, await self.compute(version, asked, seconds=seconds)

    async def compute(
        self, version: Version, asked: Asked, *, seconds: float | None = None
    ) -> Arrays:
        """Asks a version that the caller holds; see `predict`."""
        version.model.check(*asked)
        self.limits.check(asked.inputs)
        most = self.limits.seconds if seconds is None else min(seconds, self.limits.seconds)
        try:
            async with asyncio.timeout(most):
                return await self._batcher.compute(version, asked)
        except TimeoutError as error:
            raise too_late(f'no answer within {most:g} s; send less at once') from error

    def signatures(self, which: Which) -> tuple[int, dict[str, meta_graph_pb2.SignatureDef]]:
        """The number of a version and its signatures.

        Raises:
          Refusal: if there is none.
        """
        with self.held(which) as version:
            return version.number, version.model.signatures

    @property
    def ready(self) -> bool:
        """Whether every model has a version that takes requests."""
        return not self.stopping and all(self.available().values())

    def available(self) -> dict[str, list[int]]:
        """The versions that take requests, by model."""
        return {name: versions.available() for name, versions in self._models.items()}
