"""Thin glue between the objective and Model Garden's Task: what one replica does in a step."""

import contextlib
import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf
import tf_keras
from official.core import base_task

from pipelines.format.records import RecordsInfo
from pipelines.format.scales import ValueScales
from trainer.bptt import cell, lstm
from trainer.config import Config
from trainer.data.batches import Rows, SplitInput
from trainer.data.order import TrainingOrder
from trainer.data.replicas import local_parts
from trainer.data.service import ServiceBatches
from trainer.devices.execution import SCAN, Execution
from trainer.models.anchor_losses import losses_in_use
from trainer.models.architectures import make_model, make_objective
from trainer.models.batch import Batch, Losses
from trainer.models.loss_scales import step_loss
from trainer.models.objective import Objective
from trainer.models.protocol import Model
from trainer.training.accumulation import accumulate

_TOP = 5
_AUXILIARY_LOSSES = ('reconstruction_loss', 'prediction_loss')
_TOP_ACCURACY = f'top_{_TOP}_accuracy'


def _join(losses: Sequence[Losses]) -> Losses:
    """The losses of consecutive rows, one after another."""
    return tf.nest.map_structure(lambda *v: None if v[0] is None else tf.concat(v, 0), *losses)


class Computed(NamedTuple):
    """The numbers of a step, before it changes any variable.

    Of this replica's rows: `losses`. Of the global batch: `gradients`, `loss`, `norm` of the
    gradients before clipping, and `good`: whether loss and norm are finite, and the loss is not
    larger than allowed.
    """

    losses: Losses
    gradients: list[tf.Tensor]
    loss: tf.Tensor
    norm: tf.Tensor
    good: tf.Tensor


@dataclasses.dataclass(frozen=True)
class InputRequest:
    """Which batches `LonghaulTask.build_inputs` is asked for.

    `order`: training batches from `first_step` on; None: evaluation, every example once.
    """

    split: SplitInput
    order: TrainingOrder | None = None
    first_step: int = 0


class LonghaulTask(base_task.Task):
    """Trains and evaluates a model on records.

    Source of the steps' arithmetic: `trainer.models.objective`.
    """

    def __init__(
        self,
        config: Config,
        info: RecordsInfo,
        *,
        supervised: bool = True,
        execution: Execution = SCAN,
        scales: ValueScales | None = None,
    ) -> None:
        """Prepares a phase.

        Args:
          config: of the run.
          info: of the records.
          supervised: False in the phase that trains the auxiliary losses alone.
          execution: how a replica computes.
          scales: of relative losses; None: those of the records.
        """
        super().__init__(config)
        self.config, self.info, self.execution = config, info, execution
        self._scales, self._at_anchors = scales, losses_in_use(config.objective)
        self.objective = make_objective(config, info.segment_steps, supervised=supervised)
        self._evaluation = make_objective(config, info.segment_steps)

    def build_model(self) -> Model:
        """The model, with the auxiliary parts that the objective uses."""
        classes = max(1, len(self.info.class_names))
        loss = step_loss(self.config, self.info, self._scales)
        return make_model(self.config, self.info.spec, classes=classes, loss=loss)

    def build_inputs(
        self, params: InputRequest, input_context: tf.distribute.InputContext | None = None
    ) -> tf.data.Dataset | ServiceBatches:
        """This worker's batches, one element per step and local replica of the current strategy."""
        del input_context
        parts: list[Rows] = local_parts(tf.distribute.get_strategy())
        if params.order is None:
            size = self.config.data.eval_batch_size
            return params.split.evaluation(batch_size=size, parts=parts)
        first_step = params.first_step
        if address := self.config.data.service:
            return ServiceBatches(
                params.split, params.order, address=address, first_step=first_step, parts=parts
            )
        return params.split.training(params.order, first_step=first_step, parts=parts)

    def build_metrics(self, training: bool = True) -> list[tf_keras.metrics.Metric]:
        """Means over examples, exact for any number of replicas."""
        names = ['loss', 'accuracy', 'supervised_loss']
        if not training and len(self.info.class_names) > _TOP:
            names.insert(2, _TOP_ACCURACY)
        if self.config.objective.reconstruction_weight:
            names.append('reconstruction_loss')
        if self.config.objective.prediction_weight:
            names.append('prediction_loss')
        names += [f'{name}_loss' for name in self._at_anchors]
        if self.config.objective.relative_losses:
            names += [n.replace('_loss', '_average') for n in names if n in _AUXILIARY_LOSSES]
        if training:
            names.append('gradient_norm')
        if not self.objective.supervised:
            untrained = {'accuracy', _TOP_ACCURACY, 'supervised_loss'}
            untrained |= {f'{n}_loss' for n, loss in self._at_anchors.items() if loss.supervised}
            names = [n for n in names if n not in untrained]
        return [tf_keras.metrics.Mean(name) for name in names]

    def auxiliary_units(self, logs: dict[str, float]) -> dict[str, float]:
        """The auxiliary losses in common units.

        For relative losses, it is the explained share: 1 - loss / the loss of always predicting the
        average at the same steps (1 if all steps of the data are alike). For a cross-entropy, it is
        bits per step, over all channels of the step. For a squared error, it is the mean over
        channels: of values in 0..1 if they are stored as uint8, else of the values themselves.
        """
        spec, found = self.info.spec, {}
        if self.config.objective.relative_losses:
            names = [n for n in ('reconstruction', 'prediction') if f'{n}_loss' in logs]
            return {
                f'{name}_explained': 1 - logs[f'{name}_loss'] / max(logs[f'{name}_average'], 1e-9)
                for name in names
            }
        bits = spec.kind == 'text' or self.config.objective.levels(spec) is not None
        for name in ('reconstruction', 'prediction'):
            loss = logs.get(f'{name}_loss')
            if loss is not None and bits:
                found[f'{name}_bits_per_step'] = loss * spec.channels / math.log(2)
            elif loss is not None:
                found[f'{name}_squared_error'] = loss
        return found

    def compute(self, inputs: dict[str, tf.Tensor], model: Model, step: tf.Tensor) -> Computed:
        """The numbers of a step; changes no variable. All replicas must call it.

        Args:
          inputs: this replica's rows of the global batch.
          model: to train.
          step: the global step, int64.
        """
        losses, gradients = self.gradients(inputs, model, step)
        own = self.objective.total(losses, self.config.data.batch_size)
        *gradients, loss = tf.distribute.get_replica_context().all_reduce(
            tf.distribute.ReduceOp.SUM, [*gradients, own]
        )
        norm, most = tf.linalg.global_norm(gradients), self.config.run.skip_loss_above
        good = tf.logical_and(tf.math.is_finite(norm), tf.math.is_finite(loss))
        if most is not None:
            good = tf.logical_and(good, loss <= most)
        return Computed(losses, gradients, loss, norm, good)

    def apply(
        self,
        computed: Computed,
        model: Model,
        optimizer: tf_keras.optimizers.Optimizer,
    ) -> None:
        """Changes the model by a step's gradients."""
        # The gradients are summed already: the optimizer clips by the norm of the global batch.
        optimizer.apply_gradients(
            zip(computed.gradients, model.trainable_variables, strict=True),
            skip_gradients_aggregation=True,
        )

    def count(
        self,
        inputs: dict[str, tf.Tensor],
        computed: Computed,
        metrics: Sequence[tf_keras.metrics.Metric],
    ) -> None:
        """Adds a step to the means over this replica's rows."""
        counted = tf.ones_like(inputs['labels'], tf.bool)
        values = (computed.losses, inputs['labels'], counted, computed.norm)
        self._update(metrics, self.objective, *values)

    def gradients(
        self, inputs: dict[str, tf.Tensor], model: Model, step: tf.Tensor
    ) -> tuple[Losses, list[tf.Tensor]]:
        """One replica's own part of a step: static shapes only, and no op that needs the host.

        Args:
          inputs: this replica's rows of the global batch.
          model: whose trainable variables the gradients are of.
          step: the global step, int64.

        Returns:
          The losses of each row, and the gradients of their share of the global batch's loss.
        """
        mask = self.mask(model, step)
        accumulated = self.config.data.accumulation_steps

        @self.on_path
        def part(rows: dict[str, tf.Tensor], mask: tf.Tensor | None) -> tuple:
            """Losses and gradients of rows that are computed independently of all others."""

            def compute(rows: dict[str, tf.Tensor]) -> tuple:
                """Losses of the rows, gradients of their share."""
                with self.products():
                    with tf.GradientTape() as tape:
                        losses = self.objective.losses(model, self.to_batch(rows), mask)
                        total = self.objective.total(losses, self.config.data.batch_size)
                    gradients = tape.gradient(
                        total,
                        model.trainable_variables,
                        unconnected_gradients=tf.UnconnectedGradients.ZERO,
                    )
                return losses, gradients

            return accumulate(compute, rows, count=accumulated)

        parts = self.parts(inputs, accumulated=accumulated)
        losses, gradients = zip(*(part(rows, mask) for rows in parts), strict=True)
        return _join(losses), [tf.add_n(parts) for parts in zip(*gradients, strict=True)]

    def products(self) -> contextlib.AbstractContextManager[None]:
        """Products that are traced while it is entered have the type of `RunConfig.precision`."""
        mixed = self.config.run.precision == 'mixed_bfloat16'
        return cell.products_in(tf.bfloat16 if mixed else None)

    def mask(self, model: Model, step: tf.Tensor) -> tf.Tensor | None:
        """The DropConnect mask of a step, the same in all replicas; None: nothing is dropped."""
        rate, seed = self.config.model.dropconnect_rate, self.config.run.seed
        return model.classifier.dropconnect_mask(rate, seed, step)

    def on_path(self, function: Callable) -> Callable:
        """The function, reading sequences on this execution's path, and compiled if the path is."""

        def read(*args: Any) -> Any:
            """The function, with the path set for the sequences that it reads."""
            with contextlib.ExitStack() as stack:
                if self.execution.path == 'cudnn':
                    stack.enter_context(lstm.cudnn_where_it_can())
                return function(*args)

        # Parts of one shape share one trace.
        compiles = True if self.execution.compiles else None
        return tf.function(read, autograph=False, jit_compile=compiles)

    def parts(
        self, inputs: dict[str, tf.Tensor], *, accumulated: int = 1
    ) -> list[dict[str, tf.Tensor]]:
        """Splits the rows into the equal parts that this replica computes independently.

        Each is a multiple of `accumulated` rows, as the batch must be.
        """
        rows = inputs['labels'].shape[0] // accumulated
        count = math.gcd(self.execution.parts, rows)
        split = {key: tf.split(value, count) for key, value in inputs.items()}
        return [{key: values[i] for key, values in split.items()} for i in range(count)]

    def validation_step(
        self,
        inputs: dict[str, tf.Tensor],
        model: Model,
        metrics: Sequence[tf_keras.metrics.Metric] | None = None,
    ) -> dict[str, tf.Tensor]:
        """Losses and probabilities of this replica's rows.

        Returns:
          'row' int32 [B], numbers of the split's index; 'label' int32 [B]; 'counted' bool [B];
          'probabilities' [B, classes]; 'encoded' [B, F], the state that the classifier read.
          Ids are missing, because they are strings, which an accelerator cannot hold.
        """

        @self.on_path
        def part(rows: dict[str, tf.Tensor]) -> Losses:
            """Losses of rows that are computed independently of all others."""
            return self._evaluation.losses(model, self.to_batch(rows), None)

        losses = _join([part(rows) for rows in self.parts(inputs)])
        counted = inputs['counted']
        self._update(metrics or [], self.objective, losses, inputs['labels'], counted, None)
        return {
            'row': inputs['rows'],
            'label': inputs['labels'],
            'counted': counted,
            'probabilities': tf.nn.softmax(losses.logits),
            'encoded': losses.encoded,
        }

    def to_batch(self, inputs: dict[str, tf.Tensor]) -> Batch:
        """The parsed batch, as the objective takes it; all shapes static."""
        fixed = self.info.spec.fixed_length is not None
        return Batch(
            inputs['inputs'],
            None if fixed else inputs['lengths'],
            inputs['labels'],
            inputs['r_anchors'],
            inputs['r_starts'],
            inputs['p_anchors'],
            inputs['fed'] if inputs['fed'].shape[2] else None,
            # The same in all rows.
            inputs['r_distances'][0],
            inputs['p_distances'][0],
        )

    def _update(
        self,
        metrics: Sequence[tf_keras.metrics.Metric],
        objective: Objective[Any],
        losses: Losses,
        labels: tf.Tensor,
        counted: tf.Tensor,
        gradient_norm: tf.Tensor | None,
    ) -> None:
        by_name = {m.name: m for m in metrics}
        labelled = tf.logical_and(counted, labels >= 0)
        values = {
            'loss': (objective.weighted(losses), counted),
            'reconstruction_loss': (losses.reconstruction, counted),
            'prediction_loss': (losses.prediction, counted),
            'supervised_loss': (losses.supervised, labelled),
            'reconstruction_average': (losses.reconstruction_average, counted),
            'prediction_average': (losses.prediction_average, counted),
        }
        for name, loss in losses.at_anchors.items():
            rows = labelled if self._at_anchors[name].supervised else counted
            values[f'{name}_loss'] = (loss, rows)
        if losses.logits is not None:
            predicted = tf.argmax(losses.logits, axis=-1, output_type=tf.int32)
            values['accuracy'] = (tf.cast(predicted == labels, tf.float32), labelled)
            if _TOP_ACCURACY in by_name:
                among = tf.math.in_top_k(tf.maximum(labels, 0), losses.logits, _TOP)
                values[_TOP_ACCURACY] = (tf.cast(among, tf.float32), labelled)
        if gradient_norm is not None:
            values['gradient_norm'] = (gradient_norm, None)
        for name, (value, weights) in values.items():
            if name in by_name:
                by_name[name].update_state(value, sample_weight=weights)
