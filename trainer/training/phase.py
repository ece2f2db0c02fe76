"""One phase of a run, put together for orbit's Controller: optimizer, checkpoints, actions."""

import time

import orbit
import tensorflow as tf

from trainer.config import RunConfig
from trainer.monitoring.pace import Pace
from trainer.run_dir.checkpoints import CheckpointManager
from trainer.run_dir.validations import ValidationLog
from trainer.training import averages
from trainer.training.loop import PhaseTrainer, SplitEvaluator, quiet_orbit
from trainer.training.optimizers import keep_learning_rate, make_optimizer
from trainer.training.outlets import Outlets
from trainer.training.phase_actions import PhaseActions
from trainer.training.phases import Phase
from trainer.training.result import Stopwatch
from trainer.training.skipped import SkippedBatches
from trainer.training.splits import Splits
from trainer.training.state import TrainedState
from trainer.training.stopping import Stopped, StopRequest
from trainer.training.task import InputRequest
from trainer.training.validation import train_and_validate


def is_over(config: RunConfig, validations: ValidationLog) -> bool:
    """Whether a run ends early: `patience` validations have passed since the best one."""
    return config.patience is not None and validations.without_progress() >= config.patience


def make_pace(phase: Phase, splits: Splits, *, validated: bool) -> Pace:
    """The pace of a phase of a run.

    Args:
      phase: the phase.
      splits: of the run.
      validated: whether it is validated, and the run evaluated at its end.
    """
    run, counts = splits.config.run, splits.info.counts['splits']
    last, batch_size = phase.last_step, splits.config.data.batch_size
    if not validated:
        return Pace(last_step=last, batch_size=batch_size)
    after = counts['validation'] + (counts.get('test', 0) if run.evaluate_test else 0)
    return Pace(
        last_step=last,
        batch_size=batch_size,
        first_step=phase.first_step,
        interval=run.validated_every,
        validated=counts['validation'],
        evaluated=after if last == run.total_steps else 0,
    )


class PhaseTraining:
    """Trains one phase from where the run stands; call it within the strategy's scope."""

    def __init__(
        self,
        phase: Phase,
        *,
        splits: Splits,
        state: TrainedState,
        outlets: Outlets,
        stop: StopRequest,
        watch: Stopwatch,
        validations: ValidationLog | None,
    ) -> None:
        """Prepares a phase of a run.

        Args:
          phase: the phase.
          splits: the records that it reads.
          state: the variables that it changes.
          outlets: where it writes.
          stop: whether to stop early.
          watch: adds up the run's seconds.
          validations: of the run; None: the phase is not validated.
        """
        self._phase, self._splits, self._state, self._stop = phase, splits, state, stop
        self._folder, self._reporter, self._logs = outlets
        self._config, self._validations = splits.config, validations
        self._task = splits.task(supervised=phase.supervised)
        self._pace = make_pace(phase, splits, validated=validations is not None)
        self._actions = PhaseActions(
            phase,
            self._task,
            splits=splits,
            state=state,
            outlets=outlets,
            pace=self._pace,
            watch=watch,
        )

    def is_done(self, step: int) -> bool:
        """Whether a run that stands at a global step has nothing left to do in this phase."""
        last = self._phase.last_step
        if step > last or self._validations is None:
            return step >= last
        over = self._phase.supervised and is_over(self._config.run, self._validations)
        return over or (step == last and last in self._validations.steps)

    def controller(self, step: int) -> orbit.Controller:
        """Makes the controller of the phase, with the latest checkpoint restored.

        Args:
          step: the global step that the run stands at.

        Raises:
          LonghaulError: if the phase cannot be trained.
        """
        with quiet_orbit():
            controller = self._controller(max(step, self._phase.first_step))
        state = self._state
        if state.averages is not None and not self._folder.has_averages():
            averages.start(state.averages, state.model)
        return controller

    def train(self, controller: orbit.Controller) -> None:
        """Trains and validates the rest of the phase; saves at its end.

        Raises:
          Stopped: if a stop is requested; the checkpoint is saved then too, unless it is `at_once`.
        """
        with quiet_orbit(), self._stop.awaited():
            try:
                self._alternate(controller)
                controller.save_checkpoint()
                # A stop may have been requested during the last validation, or while saving.
                if self._stop.is_made(self._splits.strategy):
                    self._stop.stop()
            except Stopped as stopped:
                if stopped.at_once:
                    raise
                controller.save_checkpoint()
                stopped.saved = int(self._state.global_step.numpy())
                raise
            finally:
                self._reporter.close()
                self._actions.close()

    def _alternate(self, controller: orbit.Controller) -> None:
        log, config = self._validations, self._config.run

        def train(step: int) -> None:
            """Trains until a step."""
            self._pace.start(int(self._state.global_step.numpy()))
            controller.train(step, checkpoint_at_completion=False)

        if int(self._state.global_step.numpy()) < self._phase.last_step:
            self._reporter.begin(f'{self._phase.name}  compiling the first step')
        if log is None:
            if int(self._state.global_step.numpy()) < self._phase.last_step:
                train(self._phase.last_step)
            return
        train_and_validate(
            self._phase,
            interval=config.validated_every,
            step=int(self._state.global_step.numpy()),
            validated=log.steps,
            train=train,
            validate=lambda: self._validate(controller),
            is_over=lambda: self._phase.supervised and is_over(config, log),
        )

    def _validate(self, controller: orbit.Controller) -> None:
        step, count = int(self._state.global_step.numpy()), self._splits.info.counts['splits']
        self._reporter.begin(f'validating at step {step}: {count["validation"]:,} examples')
        began = time.monotonic()
        controller.evaluate(steps=-1)
        self._pace.validation_took(time.monotonic() - began)

    def _controller(self, first_step: int) -> orbit.Controller:
        state, config = self._state, self._config.run
        optimizer = make_optimizer(
            self._config.optimizer, phase_steps=self._phase.last_step - self._phase.first_step
        )
        optimizer.build(state.model.trainable_variables)
        split, data = self._splits.split('train'), self._config.data
        share = data.labelled_share if self._phase.supervised else None
        order = split.order(data.batch_size, labelled_share=share)
        skipped = SkippedBatches(
            self._folder,
            split=split,
            order=order,
            count=state.skipped,
            most=config.max_skipped_batches,
        )
        position = first_step + self._folder.latest_skipped()
        trainer = PhaseTrainer(
            self._task,
            model=state.model,
            optimizer=optimizer,
            global_step=state.global_step,
            dataset=self._splits.batches(InputRequest(split, order, position)),
            position=position,
            skip=skipped.add,
            stop=self._stop,
            after_step=self._average,
            after_first=self._pace.start,
        )
        validator, eval_actions = None, None
        if self._validations is not None:
            validator = self._validator()
            eval_actions = self._actions.of_validation(validator, self._validations)
        controller = orbit.Controller(
            strategy=self._splits.strategy,
            trainer=trainer,
            evaluator=validator,
            global_step=state.global_step,
            steps_per_loop=max(1, min(config.log_interval, self._phase.last_step - first_step)),
            checkpoint_manager=self._checkpoint_manager(**{self._optimizer_name: optimizer}),
            # If these were not given, orbit would use the first manager for both folders.
            summary_dir=self._folder / 'train',
            eval_summary_dir=self._folder / 'validation',
            summary_manager=self._logs.manager(self._folder / 'train', state.global_step),
            eval_summary_manager=self._logs.manager(self._folder / 'validation', state.global_step),
            train_actions=self._actions.of_training(first_step),
            eval_actions=eval_actions,
        )
        keep_learning_rate(optimizer, self._config.optimizer)
        return controller

    def _average(self, step: tf.Tensor) -> None:
        decay = self._config.optimizer.ema_decay
        if self._state.averages is not None and decay:
            averages.update(
                self._state.averages,
                self._state.model,
                decay=decay,
                step=step,
                strategy=self._splits.strategy,
            )

    @property
    def _optimizer_name(self) -> str:
        # A phase's optimizer has a name of its own: the next phase starts with a fresh one.
        return f'optimizer_{self._phase.name}'

    def _checkpoint_manager(self, **optimizer: tf.Module) -> CheckpointManager:
        config = self._config.run
        return CheckpointManager(
            tf.train.Checkpoint(**self._state.saved(), **optimizer),
            say=self._reporter.message,
            directory=self._folder.checkpoints,
            max_to_keep=config.keep_checkpoints,
            step_counter=self._state.global_step,
            checkpoint_interval=config.checkpoint_interval,
        )

    def _validator(self) -> SplitEvaluator:
        dataset = self._splits.batches(InputRequest(self._splits.split('validation')))
        return SplitEvaluator(
            self._task, model=self._state.evaluated, dataset=dataset, stop=self._stop
        )
