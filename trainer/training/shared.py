"""What all phases and evaluations of a run share."""

import dataclasses

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from trainer.config import Config
from trainer.data.batches import SplitInput
from trainer.data.replicas import ReplicaBatches
from trainer.devices.execution import Execution
from trainer.models.protocol import Model
from trainer.monitoring.progress import Reporter
from trainer.monitoring.tensorboard import Logs
from trainer.run_dir.folder import ModelDir
from trainer.training.loop import distribute
from trainer.training.stopping import StopRequest
from trainer.training.task import InputRequest, LonghaulTask


def _counter(name: str, value: int | float, dtype: tf.DType) -> tf.Variable:
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, dtype=dtype, name=name, trainable=False, aggregation=aggregation)


@dataclasses.dataclass(frozen=True)
class Shared:
    """A run's data, model and place.

    Scalar variables: `global_step` int64, `skipped` int64 (batches), `seconds` float64. `averages`:
    moving averages of the model's weights, if the run keeps them.
    """

    config: Config
    info: RecordsInfo
    folder: ModelDir
    strategy: tf.distribute.Strategy
    execution: Execution
    reporter: Reporter
    stop: StopRequest
    logs: Logs
    model: Model
    averages: Model | None
    global_step: tf.Variable
    skipped: tf.Variable
    seconds: tf.Variable

    @classmethod
    def make(
        cls,
        config: Config,
        info: RecordsInfo,
        *,
        folder: ModelDir,
        strategy: tf.distribute.Strategy,
        execution: Execution,
        reporter: Reporter,
        stop: StopRequest,
    ) -> 'Shared':
        """With a new model, at step 0."""
        task = LonghaulTask(config, info, execution=execution)
        with strategy.scope():
            return cls(
                config,
                info,
                folder,
                strategy,
                execution,
                reporter,
                stop,
                Logs(reporter.message),
                model=task.build_model(),
                averages=task.build_model() if config.optimizer.ema_decay else None,
                global_step=_counter('global_step', 0, tf.int64),
                skipped=_counter('skipped', 0, tf.int64),
                seconds=_counter('seconds', 0.0, tf.float64),
            )

    @property
    def evaluated(self) -> Model:
        """The model whose weights are validated, kept as the best ones and exported."""
        return self.model if self.averages is None else self.averages

    def task(self, *, supervised: bool = True) -> LonghaulTask:
        """What a replica does in a step; `supervised` False: in the auxiliary losses' phase."""
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
