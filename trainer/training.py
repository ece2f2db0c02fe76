"""One phase of a run, put together for orbit's Controller: optimizer, checkpoints, actions."""

import functools

import orbit
import tensorflow as tf

from trainer import results
from trainer.best import KeepBest
from trainer.input import Rows, first_batch
from trainer.loop import PhaseTrainer, SplitEvaluator, quiet_orbit
from trainer.optimizers import make_optimizer
from trainer.phases import Phase
from trainer.pictures import ReconstructionPictures
from trainer.progress import ProgressLine, summarize
from trainer.shared import Shared
from trainer.task import InputRequest
from trainer.validations import LogValidation, ValidationLog, train_and_validate
from trainer.warm_start import KeepPretrained

_PICTURES = 4


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

    def is_done(self, step: int) -> bool:
        """Whether a run that stands at a global step has nothing left to do in this phase."""
        last = self._phase.last_step
        if step > last or self._validations is None:
            return step >= last
        return step == last and last in self._validations.steps

    def controller(self, step: int) -> orbit.Controller:
        """Restores what the phase goes on from; refuses what cannot be trained.

        Args:
          step: the global step that the run stands at.
        """
        with quiet_orbit():
            return self._controller(max(step, self._phase.first_step))

    def train(self, controller: orbit.Controller) -> None:
        """Trains, and validates, what is left of the phase; saves at its end."""
        phase, step = self._phase, int(self._shared.global_step.numpy())
        with quiet_orbit():
            if self._validations is None:
                controller.train(phase.last_step)
                return
            train_and_validate(
                phase,
                interval=self._shared.config.run.eval_interval,
                step=step,
                validated=self._validations.steps,
                train=functools.partial(controller.train, checkpoint_at_completion=False),
                validate=lambda: controller.evaluate(steps=-1),
            )
            controller.save_checkpoint()

    def _controller(self, first_step: int) -> orbit.Controller:
        shared, config = self._shared, self._shared.config.run
        optimizer = make_optimizer(
            shared.config.optimizer, phase_steps=self._phase.last_step - self._phase.first_step
        )
        optimizer.build(shared.model.trainable_variables)
        split = shared.split('train')
        order = split.order(shared.config.data.batch_size)
        trainer = PhaseTrainer(
            self._task,
            model=shared.model,
            optimizer=optimizer,
            global_step=shared.global_step,
            dataset=shared.batches(InputRequest(split, order, first_step)),
        )
        validated = self._validations is not None
        return orbit.Controller(
            strategy=shared.strategy,
            trainer=trainer,
            evaluator=self._validator() if validated else None,
            global_step=shared.global_step,
            steps_per_loop=max(1, min(config.log_interval, self._phase.last_step - first_step)),
            checkpoint_manager=self._checkpoint_manager(**{self._optimizer_name: optimizer}),
            summary_dir=shared.folder / 'train',
            eval_summary_dir=shared.folder / 'validation',
            train_actions=self._train_actions(),
            eval_actions=self._eval_actions() if validated else None,
        )

    @property
    def _optimizer_name(self) -> str:
        # A phase's optimizer has a name of its own: the next phase starts with a fresh one.
        return f'optimizer_{self._phase.name}'

    def _checkpoint_manager(self, **optimizer: tf.Module) -> tf.train.CheckpointManager:
        shared, config = self._shared, self._shared.config.run
        checkpoint = tf.train.Checkpoint(
            model=shared.model,
            global_step=shared.global_step,
            seconds=shared.seconds,
            **optimizer,
        )
        return tf.train.CheckpointManager(
            checkpoint,
            directory=shared.folder.checkpoints,
            max_to_keep=config.keep_checkpoints,
            step_counter=shared.global_step,
            checkpoint_interval=config.checkpoint_interval,
        )

    def _train_actions(self) -> list[orbit.Action]:
        shared, phase = self._shared, self._phase
        place = {'global_step': shared.global_step, 'last_step': phase.last_step}
        actions = [
            ProgressLine(phase=phase.name, write=shared.say, **place),
            results.Stopwatch(shared.seconds),
        ]
        if not phase.supervised:
            actions.append(KeepPretrained(shared.model, shared.folder, **place))
        return actions

    def _validator(self) -> SplitEvaluator:
        request = InputRequest(self._shared.split('validation'))
        dataset = self._shared.batches(request)
        return SplitEvaluator(self._task, model=self._shared.model, dataset=dataset)

    def _eval_actions(self) -> list[orbit.Action]:
        shared = self._shared
        log = LogValidation(
            self._validations,
            phase=self._phase.name,
            global_step=shared.global_step,
            seconds=shared.seconds,
            steps_per_epoch=shared.steps_per_epoch(),
        )
        actions = [log, lambda logs: shared.say(f'validation  {summarize(logs)}')]
        if self._phase.supervised:
            best = KeepBest(shared.model, shared.folder, global_step=shared.global_step)
            actions.insert(0, best)
        if shared.model.reconstruction is not None:
            actions.append(self._pictures())
        return actions

    def _pictures(self) -> ReconstructionPictures:
        shared = self._shared
        split = shared.split('validation')
        inputs = first_batch(split.evaluation(batch_size=_PICTURES, parts=[Rows(0, 1)]))
        return ReconstructionPictures(
            model=shared.model,
            batch=self._task.to_batch({k: tf.constant(v) for k, v in inputs.items()}),
            spec=shared.info.spec,
            auxiliary_steps=shared.config.objective.auxiliary_steps,
            writer=tf.summary.create_file_writer(shared.folder / 'validation'),
            global_step=shared.global_step,
        )
