"""The variables that training changes: the model and counters."""

import dataclasses

import tensorflow as tf

from trainer.config import Config
from trainer.models.protocol import Model
from trainer.training.task import LonghaulTask


def _counter(name: str, value: int | float, dtype: tf.DType) -> tf.Variable:
    aggregation = tf.VariableAggregation.ONLY_FIRST_REPLICA
    return tf.Variable(value, dtype=dtype, name=name, trainable=False, aggregation=aggregation)


@dataclasses.dataclass(frozen=True)
class TrainedState:
    """A run's model and counters.

    Scalar variables: `global_step` int64, `skipped` int64 (batches), `seconds` float64. `averages`:
    moving averages of the model's weights, if the run keeps them.
    """

    model: Model
    averages: Model | None
    global_step: tf.Variable
    skipped: tf.Variable
    seconds: tf.Variable

    @classmethod
    def make(cls, config: Config, task: LonghaulTask) -> 'TrainedState':
        """A new model, at step 0; call it within the strategy's scope."""
        return cls(
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

    def saved(self) -> dict[str, tf.Module | tf.Variable]:
        """The objects that a checkpoint saves, by name."""
        parts = {'averages': self.averages} if self.averages is not None else {}
        counters = {n: getattr(self, n) for n in ('global_step', 'skipped', 'seconds')}
        return {'model': self.model, **counters, **parts}
