"""The settings of the losses: `ObjectiveConfig`, imported from `trainer.config`."""

import dataclasses
from collections.abc import Mapping

import gin

from pipelines.format.spec import SequenceSpec
from trainer.require import require, require_bools, require_counts, require_range

_OBJECTIVE_CHOICES = {
    'pixel_loss': ('squared_error', 'cross_entropy'),
    'reconstruction_form': ('decoder', 'readout'),
    'prediction_form': ('lstm', 'readout'),
    'anchor_placement': ('uniform', 'stratified', 'early'),
    'distance_placement': ('uniform', 'log_uniform'),
}


# Gin knows it as one of trainer.config, as it is imported from.
@gin.configurable(module='trainer.config')
@dataclasses.dataclass(frozen=True)
class ObjectiveConfig:
    """Which losses, with which weights, and how far their gradients reach.

    A weight of 0 takes a loss out: r-LSTM has a reconstruction weight, p-LSTM a prediction weight.
    `supervised_bptt_steps` does not apply to a transformer: its gradients reach all steps.
    `teacher_forcing_rate`: probability that a decoder input after the first one is the true value.
    With `teacher_forcing_final_rate`, the rate moves linearly to that value over the run's first
    `teacher_forcing_decay_steps` steps, and stays there. `pixel_loss`: 'squared_error', or
    'cross_entropy' over the 256 values of each channel (of images, and of signals in uint8); texts
    always have cross-entropy.

    `reconstruction_form`: 'decoder' (the paper's), or 'readout', which predicts the value at any
    distance back without recurrence (`trainer.models.readout`). `prediction_form`: 'lstm' (the
    paper's), or 'readout', which predicts the value at any distance ahead.
    `decoder_knows_distance`: whether the decoder gets the distance from its anchor back to the
    first step of its subsequence. `relative_losses`: divides auxiliary losses by the loss of always
    predicting the average (the variance, or the entropy, of the training split). 1 then means no
    knowledge and 0 exact, and a weight means the same on all data.

    A readout reads the states at `anchors_per_window` anchors in each of `anchors_per_sequence`
    windows of `auxiliary_bptt_steps` steps. At each anchor it predicts the values at
    `readout_distances` distances: back to the first step, or ahead up to `auxiliary_steps`.
    `replication_weight`: of the supervised loss at these anchors, which may share a window as those
    of readouts do (target replication, Lipton et al. 2016, section 3). It needs labels.
    `anchor_losses`: weights of further losses at these anchors, by name, such as
    {'mine': 0.5}, see `trainer.models.anchor_losses`.
    `anchor_placement`: 'uniform', 'stratified' or 'early', see `trainer.data.placement`;
    `distance_placement`: 'uniform' or 'log_uniform', see `trainer.data.distances`.
    """

    supervised_bptt_steps: int = 300
    auxiliary_bptt_steps: int = 300
    auxiliary_steps: int = 600
    anchors_per_sequence: int = 1
    supervised_weight: float = 1.0
    reconstruction_weight: float = 0.0
    prediction_weight: float = 0.0
    replication_weight: float = 0.0
    teacher_forcing_rate: float = 1.0
    teacher_forcing_final_rate: float | None = None
    teacher_forcing_decay_steps: int | None = None
    pixel_loss: str = 'squared_error'
    reconstruction_form: str = 'decoder'
    prediction_form: str = 'lstm'
    decoder_knows_distance: bool = False
    relative_losses: bool = False
    anchors_per_window: int = 1
    anchor_placement: str = 'uniform'
    readout_distances: int = 64
    distance_placement: str = 'uniform'
    anchor_losses: Mapping[str, float] = dataclasses.field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        least = {
            'supervised_bptt_steps': 0,
            'auxiliary_bptt_steps': 0,
            'auxiliary_steps': 1,
            'anchors_per_sequence': 1,
            'anchors_per_window': 1,
            'readout_distances': 1,
        }
        require_counts(self, least=least)
        for name in ('supervised', 'reconstruction', 'prediction', 'replication'):
            require_range(self, f'{name}_weight', 0, 1e6)
        self._check_teacher_forcing()
        self._check_anchor_losses()
        for name, choices in _OBJECTIVE_CHOICES.items():
            allowed = getattr(self, name) in choices
            require(self, name, allowed, f'one of {choices} is needed')
        require_bools(self, 'decoder_knows_distance', 'relative_losses')
        require(
            self,
            'auxiliary_bptt_steps',
            not (self.prediction_weight and self.auxiliary_bptt_steps == 0),
            'at least 1 is needed with ObjectiveConfig.prediction_weight > 0',
        )
        self._check_shared_windows()

    def _check_shared_windows(self) -> None:
        window = self.auxiliary_bptt_steps
        shared = bool(self.readouts) or bool(self.anchor_weights)
        rule = 'a readout and replication_weight need windows of at least 1 step'
        require(self, 'auxiliary_bptt_steps', window > 0 or not shared, rule)
        require(
            self,
            'anchors_per_window',
            self.anchors_per_window <= window if shared else self.anchors_per_window == 1,
            f'at most ObjectiveConfig.auxiliary_bptt_steps={window} is allowed for a readout '
            "(reconstruction_form or prediction_form 'readout' with a weight) and for "
            'replication_weight, and 1 without them',
        )

    def _check_anchor_losses(self) -> None:
        found = self.anchor_losses
        fits = isinstance(found, Mapping) and all(
            isinstance(name, str)
            and isinstance(weight, int | float)
            and not isinstance(weight, bool)
            and 0 <= weight <= 1e6
            for name, weight in found.items()
        )
        rule = "weights in 0..1e6 by name are needed, such as {'mine': 0.5}"
        require(self, 'anchor_losses', fits, rule)
        rule = 'replication is weighed by ObjectiveConfig.replication_weight, leave it out here'
        require(self, 'anchor_losses', 'replication' not in found, rule)

    def _check_teacher_forcing(self) -> None:
        require_range(self, 'teacher_forcing_rate', 0, 1)
        if self.teacher_forcing_final_rate is not None:
            require_range(self, 'teacher_forcing_final_rate', 0, 1)
        if self.teacher_forcing_decay_steps is not None:
            require_counts(self, least={'teacher_forcing_decay_steps': 1})
        scheduled = self.teacher_forcing_final_rate is not None
        require(
            self,
            'teacher_forcing_decay_steps',
            scheduled == (self.teacher_forcing_decay_steps is not None),
            'a schedule needs teacher_forcing_final_rate and teacher_forcing_decay_steps both',
        )

    def levels(self, spec: SequenceSpec) -> int | None:
        """Classes per channel in the auxiliary heads' cross-entropy; None: no levels are used."""
        values = bool(spec.step_shape)
        return 256 if values and self.pixel_loss == 'cross_entropy' else None

    @property
    def readouts(self) -> tuple[str, ...]:
        """The losses in use that are readouts, among 'reconstruction' and 'prediction'."""
        return tuple(
            name
            for name in ('reconstruction', 'prediction')
            if getattr(self, f'{name}_weight') > 0 and getattr(self, f'{name}_form') == 'readout'
        )

    @property
    def spans_steps(self) -> bool:
        """Whether a loss in use spans `auxiliary_steps`: a decoder or an auxiliary LSTM."""
        decodes = self.reconstruction_weight > 0 and self.reconstruction_form == 'decoder'
        return decodes or (self.prediction_weight > 0 and self.prediction_form == 'lstm')

    @property
    def always_fed(self) -> bool:
        """Whether all decoder inputs are true values, in every step of the run."""
        if self.reconstruction_weight == 0 or self.reconstruction_form == 'readout':
            return True
        return self.teacher_forcing_rate == 1 and self.teacher_forcing_final_rate in (None, 1)

    def teacher_forcing_at(self, step: int) -> float:
        """The teacher forcing rate in a global step (from 0)."""
        first, last = self.teacher_forcing_rate, self.teacher_forcing_final_rate
        if last is None or self.teacher_forcing_decay_steps is None:
            return first
        return first + (last - first) * min(1.0, step / self.teacher_forcing_decay_steps)

    @property
    def evaluated_forcing_rate(self) -> float:
        """The teacher forcing rate in evaluations: the one that training ends with."""
        last = self.teacher_forcing_final_rate
        return self.teacher_forcing_rate if last is None else last

    @property
    def auxiliary(self) -> bool:
        """Whether a loss is used that needs no labels."""
        return self.reconstruction_weight > 0 or self.prediction_weight > 0

    @property
    def replicated(self) -> bool:
        """Whether the supervised loss is used at the anchors too."""
        return self.replication_weight > 0

    @property
    def anchor_weights(self) -> dict[str, float]:
        """Weights of the losses in use that share windows with readouts, by name."""
        weights = {'replication': self.replication_weight, **self.anchor_losses}
        return {name: weight for name, weight in weights.items() if weight > 0}

    @property
    def anchored(self) -> bool:
        """Whether any loss is used at anchors."""
        return self.auxiliary or bool(self.anchor_weights)
