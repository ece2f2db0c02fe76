"""The actions of a phase: what it does after each loop of training and after each validation."""

import numpy as np
import orbit
import tensorflow as tf

from trainer.models.batch import Batch
from trainer.monitoring.diagnostics import AnchorHistograms, Diagnostics, Profile
from trainer.monitoring.measures import AuxiliaryMeasures, Measures
from trainer.monitoring.pace import Pace
from trainer.monitoring.pictures import ReconstructionPictures
from trainer.monitoring.progress import ProgressLine
from trainer.run_dir.validations import LogValidation, ValidationLog
from trainer.training import result
from trainer.training.keep_best import KeepBest
from trainer.training.loop import SplitEvaluator
from trainer.training.outlets import Outlets
from trainer.training.phases import Phase
from trainer.training.splits import Splits
from trainer.training.state import TrainedState
from trainer.training.task import LonghaulTask
from trainer.training.warm_start import KeepPretrained

_PICTURES, _SAMPLES, _MEASURED = 4, 16, 64


class PhaseActions:
    """Makes the actions of one phase."""

    def __init__(
        self,
        phase: Phase,
        task: LonghaulTask,
        *,
        splits: Splits,
        state: TrainedState,
        outlets: Outlets,
        pace: Pace,
        watch: result.Stopwatch,
    ) -> None:
        """Takes the objects that the actions use; see `PhaseTraining`."""
        self._pace, self._watch = pace, watch
        self._phase, self._task, self._splits, self._state = phase, task, splits, state
        self._folder, self._reporter, self._logs = outlets
        self._config = splits.config
        self._profile: Profile | None = None

    def close(self) -> None:
        """Ends a profile that is still running; call it at the end of the phase."""
        if self._profile is not None:
            self._profile.close()

    def of_training(self, first_step: int) -> list[orbit.Action]:
        """The actions after each loop of training, from the phase's `first_step` on."""
        state, phase = self._state, self._phase
        place = {'global_step': state.global_step, 'last_step': phase.last_step}
        actions = [
            ProgressLine(
                phase=phase.name,
                first_step=first_step,
                reporter=self._reporter,
                pace=self._pace,
                **place,
            ),
            self._watch,
        ]
        if not phase.supervised:
            actions.append(KeepPretrained(state.model, self._folder, **place))
        config = self._config
        if config.run.diagnostics and config.objective.anchored:
            actions.append(self._logs.action(self._anchor_histograms()))
        first, last = config.run.profile_from, config.run.profile_until
        if first is not None and last is not None:
            folder = self._folder / 'train'
            self._profile = Profile(folder, (first, last), global_step=state.global_step)
            actions.append(self._profile)
        return actions

    def of_validation(
        self, validator: SplitEvaluator, validations: ValidationLog
    ) -> list[orbit.Action]:
        """The actions after each validation."""
        state = self._state
        log = LogValidation(
            validations,
            phase=self._phase.name,
            global_step=state.global_step,
            seconds=state.seconds,
            steps_per_epoch=self._splits.steps_per_epoch(),
        )
        actions = [log, self._report]
        if self._phase.supervised:
            place = {'global_step': state.global_step, 'log': validations}
            actions.insert(0, KeepBest(state.evaluated, self._folder, **place))
        if self._config.run.diagnostics:
            # First, since all other actions use the numbers that it adds to the logs.
            actions.insert(0, self._measures(validator))
        if state.model.reconstruction is not None:
            actions.append(self._logs.action(self._pictures()))
        if self._phase.supervised and self._config.run.diagnostics:
            actions.append(self._logs.action(self._diagnostics()))
        return actions

    def _report(self, logs: dict[str, float]) -> None:
        step = int(self._state.global_step.numpy())
        self._reporter.evaluation('validation', step, logs)

    def _fixed_batch(self, size: int) -> Batch:
        inputs = self._splits.split('validation').sample(size)
        return self._task.to_batch({k: tf.constant(v) for k, v in inputs.items()})

    def _writer(self, name: str) -> tf.summary.SummaryWriter:
        return tf.summary.create_file_writer(self._folder / name)

    def _measures(self, validator: SplitEvaluator) -> Measures:
        auxiliary = None
        # The measure needs the state of another row, so at least two rows.
        rows = self._splits.info.counts['splits']['validation']
        if self._config.objective.anchored and rows > 1:
            batch = self._fixed_batch(_MEASURED)
            auxiliary = AuxiliaryMeasures(self._task.objective, self._state.evaluated, batch)
        writer = self._writer('validation')

        def draw(picture: np.ndarray) -> None:
            """Writes the curve for TensorBoard."""
            with self._logs.surviving(), writer.as_default(step=self._state.global_step):
                tf.summary.image('memory_curve', picture)

        return Measures(
            split=self._splits.split('validation'),
            states=lambda: validator.states,
            auxiliary=auxiliary,
            draw=draw,
            say=self._reporter.message,
        )

    def _pictures(self) -> ReconstructionPictures:
        return ReconstructionPictures(
            objective=self._task.objective,
            model=self._state.evaluated,
            batch=self._fixed_batch(_PICTURES),
            spec=self._splits.info.spec,
            writer=self._writer('validation'),
            global_step=self._state.global_step,
        )

    def _diagnostics(self) -> Diagnostics:
        return Diagnostics(
            objective=self._task.objective,
            model=self._state.evaluated,
            batch=self._fixed_batch(_SAMPLES),
            spec=self._splits.info.spec,
            class_names=self._splits.info.class_names,
            writer=self._writer('validation'),
            global_step=self._state.global_step,
        )

    def _anchor_histograms(self) -> AnchorHistograms:
        return AnchorHistograms(
            self._splits.split('train').anchors,
            steps_per_epoch=self._splits.steps_per_epoch(),
            writer=self._writer('train'),
            global_step=self._state.global_step,
        )
