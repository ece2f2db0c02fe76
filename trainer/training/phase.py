"""One phase of a run, put together for orbit's Controller: optimizer, checkpoints, actions."""

import functools

import numpy as np
import orbit
import tensorflow as tf

from trainer.config import RunConfig
from trainer.models.batch import Batch
from trainer.monitoring.diagnostics import AnchorHistograms, Diagnostics, Profile
from trainer.monitoring.measures import AuxiliaryMeasures, Measures
from trainer.monitoring.pictures import ReconstructionPictures
from trainer.monitoring.progress import ProgressLine
from trainer.run_dir.saving import CheckpointManager
from trainer.run_dir.validations import LogValidation, ValidationLog
from trainer.training import averages, result
from trainer.training.keep_best import KeepBest
from trainer.training.loop import PhaseTrainer, SplitEvaluator, quiet_orbit
from trainer.training.optimizers import keep_learning_rate, make_optimizer
from trainer.training.phases import Phase
from trainer.training.shared import Shared
from trainer.training.skipped import SkippedBatches
from trainer.training.stopping import Stopped
from trainer.training.task import InputRequest
from trainer.training.validation import train_and_validate
from trainer.training.warm_start import KeepPretrained

_PICTURES, _SAMPLES, _MEASURED = 4, 16, 64


def is_over(config: RunConfig, validations: ValidationLog) -> bool:
    """Whether a run ends early, because its last validations got no better."""
    return config.patience is not None and validations.without_progress() >= config.patience


class PhaseTraining:
    """Trains one phase from where the run stands; call it within the strategy's scope."""

    def __init__(self, shared: Shared, phase: Phase, *, validations: ValidationLog | None) -> None:
        """Prepares a phase.

        Args:
          shared: by the run.
          phase: of it.
          validations: of the run; None: the phase is not validated.
        """
        self._shared, self._phase, self._validations = shared, phase, validations
        self._task = shared.task(supervised=phase.supervised)
        self._profile: Profile | None = None

    def is_done(self, step: int) -> bool:
        """Whether a run that stands at a global step has nothing left to do in this phase."""
        last = self._phase.last_step
        if step > last or self._validations is None:
            return step >= last
        over = self._phase.supervised and is_over(self._shared.config.run, self._validations)
        return over or (step == last and last in self._validations.steps)

    def controller(self, step: int) -> orbit.Controller:
        """Restores what the phase goes on from; refuses what cannot be trained.

        Args:
          step: the global step that the run stands at.

        Raises:
          LonghaulError: then.
        """
        with quiet_orbit():
            controller = self._controller(max(step, self._phase.first_step))
        shared = self._shared
        if shared.averages is not None and not shared.folder.has_averages():
            averages.start(shared.averages, shared.model)
        return controller

    def train(self, controller: orbit.Controller) -> None:
        """Trains, and validates, what is left of the phase; saves at its end.

        Raises:
          Stopped: if asked to; it has saved then too.
        """
        with quiet_orbit(), self._shared.stop.awaited():
            try:
                self._alternate(controller)
                controller.save_checkpoint()
                # Asked while it validated for the last time, or saved.
                if self._shared.stop.is_made(self._shared.strategy):
                    self._shared.stop.stop()
            except Stopped as stopped:
                if stopped.at_once:
                    raise
                controller.save_checkpoint()
                stopped.saved = int(self._shared.global_step.numpy())
                raise
            finally:
                self._shared.reporter.close()
                if self._profile is not None:
                    self._profile.close()

    def _alternate(self, controller: orbit.Controller) -> None:
        train = functools.partial(controller.train, checkpoint_at_completion=False)
        log, config = self._validations, self._shared.config.run
        if log is None:
            if int(self._shared.global_step.numpy()) < self._phase.last_step:
                train(self._phase.last_step)
            return
        train_and_validate(
            self._phase,
            interval=config.eval_interval,
            step=int(self._shared.global_step.numpy()),
            validated=log.steps,
            train=train,
            validate=lambda: controller.evaluate(steps=-1),
            is_over=lambda: self._phase.supervised and is_over(config, log),
        )

    def _controller(self, first_step: int) -> orbit.Controller:
        shared, config = self._shared, self._shared.config.run
        optimizer = make_optimizer(
            shared.config.optimizer, phase_steps=self._phase.last_step - self._phase.first_step
        )
        optimizer.build(shared.model.trainable_variables)
        split = shared.split('train')
        data = shared.config.data
        share = data.labelled_share if self._phase.supervised else None
        order = split.order(data.batch_size, labelled_share=share)
        skipped = SkippedBatches(
            shared.folder,
            split=split,
            order=order,
            count=shared.skipped,
            most=config.max_skipped_batches,
        )
        position = first_step + shared.folder.latest_skipped()
        trainer = PhaseTrainer(
            self._task,
            model=shared.model,
            optimizer=optimizer,
            global_step=shared.global_step,
            dataset=shared.batches(InputRequest(split, order, position)),
            position=position,
            skip=skipped.add,
            stop=shared.stop,
            after_step=self._average,
        )
        validated = self._validations is not None
        validator = self._validator() if validated else None
        controller = orbit.Controller(
            strategy=shared.strategy,
            trainer=trainer,
            evaluator=validator,
            global_step=shared.global_step,
            steps_per_loop=max(1, min(config.log_interval, self._phase.last_step - first_step)),
            checkpoint_manager=self._checkpoint_manager(**{self._optimizer_name: optimizer}),
            # Unless told that the folders differ, orbit takes the first manager for both.
            summary_dir=shared.folder / 'train',
            eval_summary_dir=shared.folder / 'validation',
            summary_manager=shared.logs.manager(shared.folder / 'train', shared.global_step),
            eval_summary_manager=shared.logs.manager(
                shared.folder / 'validation', shared.global_step
            ),
            train_actions=self._train_actions(first_step),
            eval_actions=self._eval_actions(validator) if validated else None,
        )
        keep_learning_rate(optimizer, shared.config.optimizer)
        return controller

    def _average(self, step: tf.Tensor) -> None:
        shared = self._shared
        if shared.averages is not None:
            averages.update(
                shared.averages,
                shared.model,
                decay=shared.config.optimizer.ema_decay,
                step=step,
                strategy=shared.strategy,
            )

    @property
    def _optimizer_name(self) -> str:
        # A phase's optimizer has a name of its own: the next phase starts with a fresh one.
        return f'optimizer_{self._phase.name}'

    def _checkpoint_manager(self, **optimizer: tf.Module) -> CheckpointManager:
        shared, config = self._shared, self._shared.config.run
        parts = {'averages': shared.averages} if shared.averages is not None else {}
        checkpoint = tf.train.Checkpoint(
            model=shared.model,
            global_step=shared.global_step,
            skipped=shared.skipped,
            seconds=shared.seconds,
            **optimizer,
            **parts,
        )
        return CheckpointManager(
            checkpoint,
            say=shared.reporter.message,
            directory=shared.folder.checkpoints,
            max_to_keep=config.keep_checkpoints,
            step_counter=shared.global_step,
            checkpoint_interval=config.checkpoint_interval,
        )

    def _train_actions(self, first_step: int) -> list[orbit.Action]:
        shared, phase = self._shared, self._phase
        place = {'global_step': shared.global_step, 'last_step': phase.last_step}
        actions = [
            ProgressLine(
                phase=phase.name, first_step=first_step, reporter=shared.reporter, **place
            ),
            result.Stopwatch(shared.seconds),
        ]
        if not phase.supervised:
            actions.append(KeepPretrained(shared.model, shared.folder, **place))
        config = shared.config
        if config.run.diagnostics and config.objective.auxiliary:
            actions.append(shared.logs.action(self._anchor_histograms()))
        if config.run.profile_until is not None:
            steps = (config.run.profile_from, config.run.profile_until)
            folder = shared.folder / 'train'
            self._profile = Profile(folder, steps, global_step=shared.global_step)
            actions.append(self._profile)
        return actions

    def _validator(self) -> SplitEvaluator:
        request = InputRequest(self._shared.split('validation'))
        dataset = self._shared.batches(request)
        return SplitEvaluator(
            self._task, model=self._shared.evaluated, dataset=dataset, stop=self._shared.stop
        )

    def _eval_actions(self, validator: SplitEvaluator) -> list[orbit.Action]:
        shared = self._shared
        log = LogValidation(
            self._validations,
            phase=self._phase.name,
            global_step=shared.global_step,
            seconds=shared.seconds,
            steps_per_epoch=shared.steps_per_epoch(),
        )
        actions = [log, self._report]
        if self._phase.supervised:
            place = {'global_step': shared.global_step, 'log': self._validations}
            actions.insert(0, KeepBest(shared.evaluated, shared.folder, **place))
        if shared.config.run.diagnostics:
            # First: what it adds to the logs is for all others.
            actions.insert(0, self._measures(validator))
        if shared.model.reconstruction is not None:
            actions.append(shared.logs.action(self._pictures()))
        if self._phase.supervised and shared.config.run.diagnostics:
            actions.append(shared.logs.action(self._diagnostics()))
        return actions

    def _report(self, logs: dict[str, float]) -> None:
        step = int(self._shared.global_step.numpy())
        self._shared.reporter.evaluation('validation', step, logs)

    def _fixed_batch(self, size: int) -> Batch:
        inputs = self._shared.split('validation').sample(size)
        return self._task.to_batch({k: tf.constant(v) for k, v in inputs.items()})

    def _writer(self, name: str) -> tf.summary.SummaryWriter:
        return tf.summary.create_file_writer(self._shared.folder / name)

    def _measures(self, validator: SplitEvaluator) -> Measures:
        shared, auxiliary = self._shared, None
        # The state of another row: at least one must be beside.
        if shared.config.objective.auxiliary and shared.info.counts['splits']['validation'] > 1:
            batch = self._fixed_batch(_MEASURED)
            auxiliary = AuxiliaryMeasures(self._task.objective, shared.evaluated, batch)
        writer = self._writer('validation')

        def draw(picture: np.ndarray) -> None:
            """Writes the curve for TensorBoard."""
            with shared.logs.surviving(), writer.as_default(step=shared.global_step):
                tf.summary.image('memory_curve', picture)

        return Measures(
            split=shared.split('validation'),
            states=lambda: validator.states,
            auxiliary=auxiliary,
            draw=draw,
            say=shared.reporter.message,
        )

    def _pictures(self) -> ReconstructionPictures:
        shared = self._shared
        return ReconstructionPictures(
            objective=self._task.objective,
            model=shared.evaluated,
            batch=self._fixed_batch(_PICTURES),
            spec=shared.info.spec,
            writer=self._writer('validation'),
            global_step=shared.global_step,
        )

    def _diagnostics(self) -> Diagnostics:
        shared = self._shared
        return Diagnostics(
            objective=self._task.objective,
            model=shared.evaluated,
            batch=self._fixed_batch(_SAMPLES),
            spec=shared.info.spec,
            class_names=shared.info.class_names,
            writer=self._writer('validation'),
            global_step=shared.global_step,
        )

    def _anchor_histograms(self) -> AnchorHistograms:
        return AnchorHistograms(
            self._shared.split('train').anchors,
            steps_per_epoch=self._shared.steps_per_epoch(),
            writer=self._writer('train'),
            global_step=self._shared.global_step,
        )
