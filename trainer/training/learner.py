"""A training loop of one's own: the model, its losses and its optimizer, one step at a time."""

import functools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import tensorflow as tf
import tf_keras

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from trainer.config import Config
from trainer.data import checks
from trainer.data.batches import Rows, SplitInput
from trainer.data.own import OwnData
from trainer.devices.execution import SCAN, Execution
from trainer.models.batch import Losses
from trainer.models.objective import Objective
from trainer.training import learner_checks
from trainer.training.lengths import in_steps
from trainer.training.optimizers import make_optimizer
from trainer.training.reader import Reader
from trainer.training.saving import save
from trainer.training.task import Computed, LonghaulTask
from trainer.training.warm_start import warm_start

Batch = Mapping[str, Any]


class Learner(Reader):
    """Trains a model on batches that the caller brings, on the devices of this process.

    Checkpoints, validations and several devices are the trainer's (`python -m trainer.main`).

    Attributes:
      task: the losses, metrics and gradients of a step.
      optimizer: tf_keras's; its schedule spans `RunConfig.train_steps`.
      global_step: int64 [], steps that were taken.
    """

    def __init__(
        self,
        config: Config,
        data: OwnData | None = None,
        *,
        supervised: bool = True,
        execution: Execution = SCAN,
    ) -> None:
        """Makes the model, with initial values by `RunConfig.seed`.

        Args:
          config: of the run.
          data: from `describe`; None: the records of `DataConfig.records`.
          supervised: False: the auxiliary losses are trained alone.
          execution: how a step is computed, from `trainer.devices.execution.prepare`.

        Raises:
          LonghaulError: if configuration and data do not fit each other.
        """
        found = OwnData(records.read_info(config.data.records)) if data is None else data
        learner_checks.check(config, found, own=data is not None)
        config = in_steps(config, steps_per_epoch=found.steps_per_epoch(config.data.batch_size))
        checks.check(config, found.info)
        self.task = LonghaulTask(
            config, found.info, supervised=supervised, execution=execution, scales=found.scales
        )
        super().__init__(config, found, self.task.build_model())
        if config.run.warm_start:
            warm_start(self.model, config.run.warm_start, found.info.spec)
        self.optimizer = make_optimizer(
            config.optimizer, phase_steps=max(1, config.run.train_steps or 0)
        )
        self.optimizer.build(self.model.trainable_variables)
        self.global_step = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._metrics = self.task.build_metrics(training=True)
        self._compute = tf.function(self._computed, autograph=False)
        self._apply = tf.function(self._applied, autograph=False)

    def batch(
        self, inputs: Any, labels: Any = None, *, training: bool = True, **more: Any
    ) -> Batch:
        """A batch of one's own rows for the next step; the arguments are those of `OwnData.batch`.

        Args:
          inputs: B rows.
          labels: int [B].
          training: False: for `evaluate`.
          **more: `lengths`, `anchors`.

        Raises:
          LonghaulError: for rows, labels or anchors that make no sense.
        """
        step = int(self.global_step.numpy()) if training else None
        seed = self.config.run.seed
        return self.data.batch(self.config.objective, inputs, labels, seed=seed, step=step, **more)

    def from_dataset(self, dataset: Iterable[Any], *, training: bool = True) -> Iterator[Batch]:
        """Batches of a tf.data set, made as they are asked for.

        Args:
          dataset: of (inputs, labels) or (inputs, labels, lengths), each of a batch; or of dicts
            with these names.
          training: False: for `evaluate`.

        Raises:
          LonghaulError: for other elements, and what `batch` refuses.
        """
        for element in dataset:
            yield self.batch(**learner_checks.named(element), training=training)

    def from_records(self, split: str = 'train', *, first_step: int = 0) -> Iterator[Batch]:
        """Batches of the records: those of 'train' without end, every example of others once.

        Args:
          split: 'train', 'validation' or 'test'.
          first_step: global step of the first batch.

        Raises:
          LonghaulError: if the records have no such split.
        """
        data, seed = self.config.data, self.config.run.seed
        if not self.data.info.shards.get(split):
            raise LonghaulError(
                f'split={split!r}: DataConfig.records={data.records!r} has no example of it; name '
                'another split, or take from_dataset for data of your own'
            )
        found = SplitInput(data.records, split, self.data.info, self.config.objective, seed=seed)
        parts = [Rows(0, 1)]
        if split != 'train':
            return iter(found.evaluation(batch_size=data.eval_batch_size, parts=parts))
        order = found.order(data.batch_size, labelled_share=data.labelled_share)
        return iter(found.training(order, first_step=first_step, parts=parts))

    @property
    def objective(self) -> Objective[Any]:
        """The losses and their weights; its `total` weighs and adds what `losses` gives."""
        return self.task.objective

    def losses(self, batch: Batch) -> Losses:
        """The losses of each row, differentiable: for a step of the caller's own.

        They are computed in `RunConfig.precision`, as those of `step` are.

        DropConnect and the batches depend on `global_step`: add 1 to it after each such step.

        Raises:
          LonghaulError: if no `Learner` has made the batch.
        """
        rows = self.task.to_batch(learner_checks.tensors(batch))
        mask = self.task.mask(self.model, self.global_step)
        with self.task.products():
            return self.objective.losses(self.model, rows, mask)

    def step(self, batch: Batch) -> dict[str, float]:
        """Takes a training step.

        Returns:
          'loss', the loss of each part, 'gradient_norm', and 'accuracy' if a row has a label: means
          over the batch.

        Raises:
          LonghaulError: for a batch of another size than `DataConfig.batch_size`.
          FloatingPointError: if the loss or the gradient is not finite, or the loss larger than
            `RunConfig.skip_loss_above`; nothing was changed then.
        """
        rows = learner_checks.tensors(batch)
        size, wanted = len(rows['labels']), self.config.data.batch_size
        if size != wanted:
            raise LonghaulError(
                f'batch: has {size} rows, DataConfig.batch_size={wanted}; make batches of that '
                'size (drop_remainder=True), or change it'
            )
        computed = self._compute(rows)
        if not bool(computed.good):
            raise FloatingPointError(
                f'batch: its loss ({float(computed.loss):g}) or gradient is not finite, or too '
                'large, and nothing was changed; leave it out, or lower '
                'OptimizerConfig.learning_rate'
            )
        for metric in self._metrics:
            metric.reset_states()
        self._apply(rows, computed)
        return self._means(self._metrics)

    def _means(self, metrics: list[tf_keras.metrics.Metric]) -> dict[str, float]:
        """Of what no row has, as the accuracy where no row has a label, there is no mean."""
        logs = {m.name: float(m.result()) for m in metrics if float(m.count) > 0}
        return logs | self.task.auxiliary_units(logs)

    def _computed(self, rows: dict[str, tf.Tensor]) -> Computed:
        return self.task.compute(rows, self.model, self.global_step.read_value())

    def _applied(self, rows: dict[str, tf.Tensor], computed: Computed) -> None:
        self.task.apply(computed, self.model, self.optimizer)
        self.task.count(rows, computed, self._metrics)
        self.global_step.assign_add(1)

    def evaluate(self, batches: Iterable[Batch]) -> dict[str, float]:
        """Means over all rows of some batches: the losses, and 'accuracy' if a row has a label.

        Raises:
          LonghaulError: if there is no batch.
        """
        metrics, read = self._evaluation
        for metric in metrics:
            metric.reset_states()
        for batch in batches:
            read(learner_checks.tensors(batch))
        if not (means := self._means(metrics)):
            raise LonghaulError('batches: there is none; what from_dataset gives can be read once')
        return means

    @functools.cached_property
    def _evaluation(self) -> tuple[list[tf_keras.metrics.Metric], Callable]:
        """Metrics, and what adds a batch to them; traced once for each shape."""
        metrics = self.task.build_metrics(training=False)
        read = functools.partial(self.task.validation_step, model=self.model, metrics=metrics)
        return metrics, tf.function(read, autograph=False)

    def save(self, model_dir: str | os.PathLike[str]) -> str:
        """Saves the run as a folder that `load_run`, `export` and `trainer.main` read.

        Raises:
          LonghaulError: if another run is there, or the folder cannot be written.
        """
        state = {'model': self.model, 'global_step': self.global_step}
        return save(self.config, self.data.info, model_dir, **state)
