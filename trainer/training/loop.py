"""Orbit's inner loops over our task: training one phase, evaluating one split."""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import orbit
import tensorflow as tf
import tf_keras
from absl import logging

from trainer.data.replicas import ReplicaBatches
from trainer.models.protocol import Model
from trainer.monitoring.confidence import wilson_interval
from trainer.monitoring.memory_curve import MOST_ROWS
from trainer.training.stopping import StopRequest
from trainer.training.task import InputRequest, LonghaulTask


def distribute(
    strategy: tf.distribute.Strategy, task: LonghaulTask, request: InputRequest
) -> ReplicaBatches:
    """The request's batches, dealt out to the strategy's replicas."""
    with strategy.scope():
        return ReplicaBatches(strategy, task.build_inputs(request))


def _refuse(positions: list[int], step: int) -> None:
    raise FloatingPointError(
        f'batches {positions}: loss or gradient is not finite, or too large, at step {step}'
    )


class PhaseTrainer(orbit.AbstractTrainer):
    """Takes steps of one phase; the global step counts on across phases.

    A batch whose loss or gradient is not finite, or whose loss is too large, changes nothing: the
    step is taken with the next batch instead.
    """

    def __init__(
        self,
        task: LonghaulTask,
        *,
        model: Model,
        optimizer: tf_keras.optimizers.Optimizer,
        global_step: tf.Variable,
        dataset: Iterable[Any],
        position: int = 0,
        skip: Callable[[list[int], int], None] | None = None,
        stop: StopRequest | None = None,
        after_step: Callable[[tf.Tensor], None] = lambda step: None,
        after_first: Callable[[int], None] = lambda step: None,
    ) -> None:
        """Prepares to train.

        Args:
          task: what a replica does in a step.
          model: to train.
          optimizer: of its variables, built.
          global_step: scalar int64.
          dataset: batches from `position` on.
          position: of the next batch in the run's order.
          skip: called with the positions of batches that were left out, and the global step; None:
            such a batch is an error.
          stop: whether to stop; checked after each step. None: never.
          after_step: traced into the step, outside of replicas; takes the new global step.
          after_first: called once, after the step that is compiled; takes the new global step.
        """
        self._task, self._model, self._optimizer = task, model, optimizer
        self._global_step, self._position = global_step, position
        self._skip, self._after_step = skip or _refuse, after_step
        self._after_first: Callable[[int], None] | None = after_first
        self._stop = stop or StopRequest()
        self._strategy = tf.distribute.get_strategy()
        self._metrics = task.build_metrics(training=True)
        self._batches = iter(dataset)
        # Nothing here needs AutoGraph, and it would make tracing several times slower. Batches have
        # static shapes: one traced step per shape of the data.
        self._step = tf.function(self._distributed_step, autograph=False)

    def train(self, num_steps: tf.Tensor) -> dict[str, float]:
        """Takes steps, fewer if asked to stop.

        Returns:
          Means over the steps' examples, and the learning rate of the next step.

        Raises:
          Stopped: if it was asked to stop before.
        """
        if self._stop.is_made(self._strategy):
            self._stop.stop()
        for metric in self._metrics:
            metric.reset_states()
        last = int(self._global_step.numpy()) + int(num_steps)
        stopped = False
        while not stopped and (missing := last - int(self._global_step.numpy())):
            stopped = self._take(missing)
        logs = {m.name: float(m.result()) for m in self._metrics}
        logs |= self._task.auxiliary_units(logs)
        logs['learning_rate'] = float(tf.convert_to_tensor(self._optimizer.learning_rate))
        return logs

    def _take(self, count: int) -> bool:
        """Tries as many batches as steps are missing; returns whether to stop.

        Which of them were skipped is read at the end, so that the host does not wait for each step.
        """
        first, stopped = self._position, False
        taken: list[tf.Tensor] = []
        while len(taken) < count and not stopped:
            taken.append(self._step(next(self._batches)))
            if self._after_first is not None:
                self._after_first(int(self._global_step.numpy()))
                self._after_first = None
            stopped = self._stop.is_made(self._strategy)
        self._position += len(taken)
        skipped = [first + i for i, good in enumerate(taken) if not good]
        if skipped:
            self._skip(skipped, int(self._global_step.numpy()))
        return stopped

    def _distributed_step(self, inputs: Any) -> tf.Tensor:
        """One batch on all replicas; returns whether it was good, bool []."""
        run, step = self._strategy.run, self._global_step.read_value()
        computed = run(self._task.compute, args=(inputs, self._model, step))
        good = self._strategy.experimental_local_results(computed.good)[0]

        def take() -> tf.Tensor:
            """Changes the variables."""
            run(self._task.apply, args=(computed, self._model, self._optimizer))
            run(self._task.count, args=(inputs, computed, self._metrics))
            self._global_step.assign_add(1)
            new_step = self._global_step.read_value()
            self._after_step(new_step)
            return new_step

        tf.cond(good, take, self._global_step.read_value)
        return good


class SplitEvaluator(orbit.StandardEvaluator):
    """Evaluates every example of a split exactly once.

    Attributes:
      predictions: of the last evaluation, one entry per batch, see `LonghaulTask.validation_step`.
      states: final states of the index's first examples, which are a sample because the index is in
        the order of hashes. Per batch: rows of the index int32 [B], and the states float [B, F].
    """

    def __init__(
        self,
        task: LonghaulTask,
        *,
        model: Model,
        dataset: ReplicaBatches,
        stop: StopRequest | None = None,
    ) -> None:
        """Prepares to evaluate; `stop`: whether to stop, checked before each batch."""
        super().__init__(dataset, orbit.StandardEvaluatorOptions(use_tf_function=False))
        self._task, self._model, self._stop = task, model, stop
        self._strategy = tf.distribute.get_strategy()
        self._metrics = task.build_metrics(training=False)
        self._step = tf.function(self._distributed_step, autograph=False)
        self.predictions: list[dict[str, np.ndarray]] = []
        self.states: list[tuple[np.ndarray, np.ndarray]] = []

    def eval_begin(self) -> list:
        """Clears the results of the evaluation before."""
        for metric in self._metrics:
            metric.reset_states()
        self.states = []
        return []

    def eval_step(self, iterator: Any) -> dict[str, Any]:
        """One batch on all replicas.

        Raises:
          Stopped: if it is asked to stop.
        """
        if self._stop is not None and self._stop.is_made(self._strategy):
            self._stop.stop()
        return self._step(next(iterator))

    def _distributed_step(self, inputs: Any) -> dict[str, Any]:
        return self._strategy.run(
            self._task.validation_step, args=(inputs, self._model, self._metrics)
        )

    def eval_reduce(self, state: list, step_outputs: dict[str, Any]) -> list:
        """Collects what each replica of this worker predicts, and a sample of states."""
        local = {k: self._strategy.experimental_local_results(v) for k, v in step_outputs.items()}
        columns = {k: np.concatenate([v.numpy() for v in vs]) for k, vs in local.items()}
        encoded = columns.pop('encoded')
        # Twice as many as a probe uses, since only the longer half of documents is probed.
        kept = columns['counted'] & (columns['row'] < 2 * MOST_ROWS)
        self.states.append((columns['row'][kept], encoded[kept]))
        state.append(columns)
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
    """Silences orbit, which prints to stdout and logs what `Reporter` writes to stderr.

    Orbit also warns of a loop with fewer steps than planned, which is normal for a run that stops.
    """
    level = logging.get_verbosity()
    logging.set_verbosity(logging.ERROR)
    try:
        with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
            yield
    finally:
        logging.set_verbosity(level)
