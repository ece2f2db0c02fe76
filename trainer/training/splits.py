"""A run's records: its splits, and their batches on its replicas."""

import dataclasses

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from trainer.config import Config
from trainer.data.batches import SplitInput
from trainer.data.replicas import ReplicaBatches
from trainer.devices.execution import Execution
from trainer.training.loop import distribute
from trainer.training.task import InputRequest, LonghaulTask


@dataclasses.dataclass(frozen=True)
class Splits:
    """The records of a run, with the configuration and the devices that read them."""

    config: Config
    info: RecordsInfo
    strategy: tf.distribute.Strategy
    execution: Execution

    def task(self, *, supervised: bool = True) -> LonghaulTask:
        """What a replica does in a step; `supervised` False: in the phase of auxiliary losses."""
        return LonghaulTask(self.config, self.info, supervised=supervised, execution=self.execution)

    def split(self, name: str) -> SplitInput:
        """A split of the records.

        Raises:
          LonghaulError: if they have no example of it.
        """
        counts = self.info.counts['splits']
        if not counts.get(name):
            have = ', '.join(f'{k} ({v})' for k, v in counts.items() if v) or 'none'
            raise LonghaulError(
                f'split {name!r}: {self.config.data.records} has no example of it; name one that '
                f'has: {have}'
            )
        return SplitInput(
            self.config.data.records,
            name,
            self.info,
            self.config.objective,
            seed=self.config.run.seed,
        )

    def batches(self, request: InputRequest) -> ReplicaBatches:
        """The request's batches, dealt out to the replicas."""
        return distribute(self.strategy, self.task(), request)

    def steps_per_epoch(self) -> int:
        """Training steps of an epoch."""
        return self.split('train').order(self.config.data.batch_size).steps_per_epoch
