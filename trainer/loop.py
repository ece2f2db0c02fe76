"""Orbit's inner loops over our task: training one phase, evaluating one split."""

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
import tf_keras

from trainer.architectures import Model
from trainer.replicas import ReplicaBatches
from trainer.statistics import wilson_interval
from trainer.task import InputRequest, LonghaulTask


def distribute(
    strategy: tf.distribute.Strategy, task: LonghaulTask, request: InputRequest
) -> ReplicaBatches:
    """The request's batches, dealt out to the strategy's replicas."""
    with strategy.scope():
        return ReplicaBatches(strategy, task.build_inputs(request))


class PhaseTrainer(orbit.StandardTrainer):
    """Takes steps of one phase; the global step counts on across phases."""

    def __init__(
        self,
        task: LonghaulTask,
        *,
        model: Model,
        optimizer: tf_keras.optimizers.Optimizer,
        global_step: tf.Variable,
        dataset: ReplicaBatches,
    ) -> None:
        # Eager iteration gives batches of static shape: one traced step per shape of the data.
        options = orbit.StandardTrainerOptions(use_tf_function=False, use_tf_while_loop=False)
        super().__init__(dataset, options)
        self._task, self._model, self._optimizer = task, model, optimizer
        self._global_step = global_step
        self._strategy = tf.distribute.get_strategy()
        self._metrics = task.build_metrics(training=True)
        # Nothing here needs AutoGraph, and it would make tracing several times slower.
        self._step = tf.function(self._distributed_step, autograph=False)

    def train_loop_begin(self) -> None:
        """Forgets the metrics of the loop before."""
        for metric in self._metrics:
            metric.reset_states()

    def train_step(self, iterator: Any) -> None:
        """One step of all replicas."""
        self._step(next(iterator))

    def _distributed_step(self, inputs: Any) -> None:
        step = self._global_step.read_value()
        self._strategy.run(
            self._task.train_step,
            args=(inputs, self._model, self._optimizer, self._metrics, step),
        )
        self._global_step.assign_add(1)

    def train_loop_end(self) -> dict[str, float]:
        """Means over the loop's examples and the learning rate of the next step."""
        logs = {m.name: float(m.result()) for m in self._metrics}
        logs['learning_rate'] = float(tf.convert_to_tensor(self._optimizer.learning_rate))
        return logs


class SplitEvaluator(orbit.StandardEvaluator):
    """Evaluates every example of a split exactly once."""

    def __init__(
        self,
        task: LonghaulTask,
        *,
        model: Model,
        dataset: ReplicaBatches,
    ) -> None:
        super().__init__(dataset, orbit.StandardEvaluatorOptions(use_tf_function=False))
        self._task, self._model = task, model
        self._strategy = tf.distribute.get_strategy()
        self._metrics = task.build_metrics(training=False)
        self._step = tf.function(self._distributed_step, autograph=False)
        self.predictions: list[dict[str, np.ndarray]] = []

    def eval_begin(self) -> list:
        """Forgets the evaluation before."""
        for metric in self._metrics:
            metric.reset_states()
        return []

    def eval_step(self, iterator: Any) -> dict[str, Any]:
        """One batch on all replicas."""
        return self._step(next(iterator))

    def _distributed_step(self, inputs: Any) -> dict[str, Any]:
        return self._strategy.run(
            self._task.validation_step, args=(inputs, self._model, self._metrics)
        )

    def eval_reduce(self, state: list, step_outputs: dict[str, Any]) -> list:
        """Collects what each replica of this worker predicts."""
        local = {k: self._strategy.experimental_local_results(v) for k, v in step_outputs.items()}
        state.append({k: np.concatenate([v.numpy() for v in vs]) for k, vs in local.items()})
        return state

    def eval_end(self, state: list) -> dict[str, float]:
        """Means over the split, and the accuracy's 95 % interval."""
        self.predictions = state
        logs = {m.name: float(m.result()) for m in self._metrics}
        logs |= self._task.auxiliary_units(logs)
        accuracy = next((m for m in self._metrics if m.name == 'accuracy'), None)
        if accuracy is None:
            return logs
        labelled = round(float(accuracy.count.read_value()))
        logs['labelled'] = labelled
        if labelled:
            low, high = wilson_interval(round(float(accuracy.total.read_value())), labelled)
            logs |= {'accuracy_low': low, 'accuracy_high': high}
        return logs


@contextlib.contextmanager
def quiet_orbit() -> Iterator[None]:
    """Orbit prints to stdout what it also logs; our progress line says it on stderr."""
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        yield
