"""The paper's Figure 2, composed: sweep -> windows -> losses.

The supervised window ends at T, an r window ends at its anchor, a p window starts at its anchor.
Readouts of past and future, and losses at anchors, share windows that hold many anchors. Windows of
equal length are stacked and read by one LSTM call, except for p windows, which are read
separately. One sweep serves all windows. Source: Trinh et al. 2018, section 3.
"""

from typing import Any, NamedTuple, cast

import tensorflow as tf

from pipelines.format.anchors import shortened
from trainer.bptt import truncation
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.bptt.sequences import Sequences, first_steps, gather_columns, stack_rows
from trainer.config import ObjectiveConfig
from trainer.models.anchor_losses import AnchorStates, losses_in_use
from trainer.models.batch import Batch, Losses, supervised_losses
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.prediction import Prediction
from trainer.models.readout_anchors import ReadoutAnchors
from trainer.models.reconstruction import Reconstruction
from trainer.models.step_losses import mean_of_valid

_AUXILIARY = (
    'reconstruction',
    'prediction',
    'reconstruction_average',
    'prediction_average',
)


def _split(state: LSTMState, sizes: list[int]) -> list[LSTMState]:
    """Rows [sum of sizes, U] -> one state of each size."""
    parts = (tf.split(s, sizes) for s in state)
    return [LSTMState(c, h) for c, h in zip(*parts, strict=True)]


def batch_steps(auxiliary_steps: int, batch: Batch) -> int:
    """L of a batch; less for documents if the batch is padded to fewer than 2L steps."""
    if batch.lengths is None:
        return auxiliary_steps
    return int(shortened(auxiliary_steps, batch.inputs.shape[1]))


class Window(NamedTuple):
    """Windows of one kind: the stretches that the main LSTM reads with gradient.

    `starts` int32 [B, W], positions in the padded batch; `steps` static; `held`: whether a start
    can lie before its row's first step.
    """

    starts: tf.Tensor
    steps: int
    held: bool


class Composition:
    """The windows of one batch, their states and their losses.

    Attributes:
      sequences: of the batch.
      weights: of the main LSTM.
      windows: the windows in use, by name: 'supervised', 'readout', 'reconstruction', 'prediction'.
      states: by name of the window, the states at its starts, without gradient: [W*B, U] each.
      steps: L of this batch.
    """

    def __init__(
        self,
        model: LongSequenceModel,
        batch: Batch,
        config: ObjectiveConfig,
        *,
        supervised: bool,
        segment_steps: int,
        other_states: bool = False,
    ) -> None:
        """Places the windows and sweeps up to them; the arguments are those of `Objective`."""
        self._model, self._batch, self._config = model, batch, config
        self._supervised, self._other_states = supervised, other_states
        self.sequences: Sequences = model.sequences(batch.inputs, batch.lengths)
        self.weights: LSTMWeights = model.main_weights()
        self._rows, self._total_steps = batch.inputs.shape[0], self.sequences.total_steps
        self._anchors = batch.r_anchors.shape[1]
        self._at_anchors = {
            name: loss
            for name, loss in losses_in_use(config).items()
            if supervised or not loss.supervised
        }
        self.steps = batch_steps(config.auxiliary_steps, batch)
        self.windows: dict[str, Window] = self._windows()
        self.states: dict[str, LSTMState] = self._sweep(segment_steps)

    def _row_steps(self) -> tf.Tensor:
        """L_i, int32 [B]."""
        if self._batch.lengths is None:
            return tf.fill([self._rows], self.steps)
        return shortened(self._config.auxiliary_steps, self._batch.lengths, xp=tf)

    def padded(self, positions: tf.Tensor) -> tf.Tensor:
        """Positions in the rows [B, K] -> positions in the padded batch."""
        if self.sequences.padding is None:
            return positions
        return positions + self.sequences.padding[:, tf.newaxis]

    def _windows(self) -> dict[str, Window]:
        """The windows of the losses in use."""
        windows, readouts = {}, self._config.readouts
        if self._supervised:
            windows['supervised'] = self._supervised_window()
        if readouts or self._at_anchors:
            windows['readout'] = self._readout_windows()
        if self._config.reconstruction_weight and 'reconstruction' not in readouts:
            windows['reconstruction'] = self._reconstruction_windows()
        if self._config.prediction_weight and 'prediction' not in readouts:
            windows['prediction'] = self._prediction_windows()
        return windows

    def _readout_windows(self) -> Window:
        """The S steps before each r anchor, or the row's first S; of a shorter row, all steps."""
        steps = min(self._config.auxiliary_bptt_steps, self._total_steps)
        begin = 0 if self.sequences.padding is None else self.sequences.padding[:, tf.newaxis]
        starts = tf.maximum(self.padded(self._batch.r_anchors) - steps, begin)
        starts = tf.minimum(starts, self._total_steps - steps)
        return Window(starts, steps, held=self.sequences.padding is not None)

    def _supervised_window(self) -> Window:
        """The last S steps; the padding of a shorter row is held at zero."""
        steps = min(self._config.supervised_bptt_steps, self._total_steps)
        starts = tf.fill([self._rows, 1], self._total_steps - steps)
        return Window(starts, steps, held=self.sequences.padding is not None)

    def _reconstruction_windows(self) -> Window:
        """The S steps before each r anchor, fewer where the row begins later."""
        steps = min(self._config.auxiliary_bptt_steps, self._total_steps)
        # Anchors of fixed-length data are at L or later: no window begins before the sequence.
        held = self.sequences.padding is not None or steps > self.steps
        return Window(self.padded(self._batch.r_anchors) - steps, steps, held)

    def _prediction_windows(self) -> Window:
        """The steps from each p anchor on.

        A row with at most S steps has no cut at all: its window begins with the row, and the
        auxiliary LSTM starts at the anchor.
        """
        bptt_steps = self._config.auxiliary_bptt_steps
        starts, steps = self.padded(self._batch.p_anchors), self.steps
        if self.sequences.padding is not None:
            whole = self._total_steps - self.sequences.padding[:, tf.newaxis] <= bptt_steps
            starts = tf.where(whole, self.sequences.padding[:, tf.newaxis], starts)
            steps = max(steps, min(bptt_steps, self._total_steps))
        elif bptt_steps >= self._total_steps:
            starts, steps = tf.zeros_like(starts), self._total_steps
        return Window(starts, steps, held=False)

    def _latest_start(self) -> int:
        """The last position at which any window can start."""
        latest = {
            'supervised': self._total_steps - self._config.supervised_bptt_steps,
            'reconstruction': self._total_steps - self._config.auxiliary_bptt_steps,
            'readout': self._total_steps - self._config.auxiliary_bptt_steps,
            'prediction': self._total_steps
            - 1
            - (self.steps if self._batch.lengths is None else 0),
        }
        if self._config.auxiliary_bptt_steps >= self._total_steps and self._batch.lengths is None:
            latest['prediction'] = 0
        return max(0, *(latest[name] for name in self.windows))

    def _sweep(self, segment_steps: int) -> dict[str, LSTMState]:
        """The states at the starts of all windows, by name; [W*B, U] each."""
        starts = [window.starts for window in self.windows.values()]
        state = truncation.sweep(
            self.sequences,
            self.weights,
            tf.concat(starts, axis=1),
            until=self._latest_start(),
            stride_steps=min(segment_steps, truncation.STRIDE_STEPS),
        )
        parts = _split(state, [s.shape[1] * self._rows for s in starts])
        return dict(zip(self.windows, parts, strict=True))

    def losses(self, dropconnect: tf.Tensor | None) -> Losses:
        """The losses of each example, see `Objective.losses`."""
        read = self.read()
        zeros = tf.zeros([self._rows], self._model.dtype)
        logits, encoded = None, None
        found: dict[str, Any] = dict.fromkeys(('supervised', *_AUXILIARY), zeros)
        if 'supervised' in self.windows:
            encoded = read.pop('supervised').h
            logits = self._model.classifier(encoded, dropconnect)
            found['supervised'] = supervised_losses(logits, self._batch.labels)
        for name, states in read.items():
            found |= self.auxiliary_losses(name, states, dropconnect)
        at_anchors = {name: found.pop(name) for name in self._at_anchors}
        if 'prediction' in self.windows:
            found |= self._prediction_losses()
        return Losses(**found, logits=logits, encoded=encoded, at_anchors=at_anchors)

    def auxiliary_losses(
        self, name: str, states: LSTMState | tf.Tensor, dropconnect: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Losses [B] by name, of a window ('reconstruction' or 'readout'), see `read`."""
        if name == 'readout':
            return self._shared_window_losses(states, dropconnect)
        return self._reconstruction_losses(states)

    def _shuffle(self, states: tf.Tensor) -> tf.Tensor:
        """States [n*B, U], unchanged or, with `other_states`, each from the neighbouring row."""
        if not self._other_states:
            return states
        by_row = tf.reshape(states, [-1, self._rows, states.shape[1]])
        return tf.reshape(tf.roll(by_row, 1, axis=1), states.shape)

    def columns(self, name: str) -> tuple[tf.Tensor, tf.Tensor | None]:
        """Inputs of a window, [S, W*B, ...], and the step at which each row begins, if held."""
        starts, steps, held = self.windows[name]
        columns = gather_columns(self.sequences, starts, steps)
        return columns, first_steps(self.sequences, starts) if held else None

    def read(self) -> dict[str, LSTMState | tf.Tensor]:
        """Reads all windows but the p windows with gradient, windows of one length in one call.

        Returns:
          By name of the window, the states [W*B, U] at its ends. For 'readout', the hidden states
          after each step, [S, W*B, U].
        """
        windows = {name: w for name, w in self.windows.items() if name != 'prediction'}
        found: dict[str, LSTMState | tf.Tensor] = {}
        for steps in {w.steps for w in windows.values()}:
            names = [name for name, w in windows.items() if w.steps == steps]
            found |= self._read_stacked(names)
        return found

    def _read_stacked(self, names: list[str]) -> dict[str, LSTMState | tf.Tensor]:
        """Windows of one length, stacked along the batch axis."""
        windows = [self.windows[name] for name in names]
        sizes = [w.starts.shape[1] * self._rows for w in windows]
        states = [self.states[name] for name in names]
        state = LSTMState(*(tf.concat(parts, 0) for parts in zip(*states, strict=True)))
        if not windows[0].steps:
            return dict(zip(names, _split(state, sizes), strict=True))
        starts = tf.concat([w.starts for w in windows], axis=1)
        steps, held = windows[0].steps, any(w.held for w in windows)
        place = (self.sequences, self.weights, state, starts)
        if 'readout' not in names:
            end = truncation.run_to_end(*place, steps=steps, held=held)
            return dict(zip(names, _split(end, sizes), strict=True))
        hidden, end = truncation.run(*place, steps=steps, held=held)
        found = dict(zip(names, _split(end, sizes), strict=True))
        after = dict(zip(names, tf.split(hidden, sizes, axis=1), strict=True))
        return found | {'readout': after['readout']}

    def _shared_window_losses(
        self, hidden: tf.Tensor, dropconnect: tf.Tensor | None
    ) -> dict[str, tf.Tensor]:
        """Losses [B] by name, from the hidden states [S, K*B, U] of windows with many anchors."""
        anchors = ReadoutAnchors.of(
            self.windows['readout'].starts,
            padding=self.sequences.padding,
            steps=self.windows['readout'].steps,
            count=self._config.anchors_per_window,
        )
        hidden = self._shuffle(anchors.pick(hidden))
        found: dict[str, tf.Tensor] = {}
        for name in self._config.readouts:
            future = name == 'prediction'
            distances = self._batch.p_distances if future else self._batch.r_distances
            columns, valid = anchors.asked(self.sequences, distances, future=future)
            losses = getattr(self._model, name).losses(hidden, distances, columns, valid)
            average = mean_of_valid(self._of_average(columns), valid, axis=-1)
            found |= self._named(name, losses, average)
        for name, loss in self._at_anchors.items():
            states = AnchorStates(
                hidden=hidden,
                anchors=anchors,
                sequences=self.sequences,
                labels=tf.tile(self._batch.labels, [hidden.shape[0] // self._rows]),
                classifier=self._model.classifier,
                dropconnect=dropconnect,
                part=getattr(self._model, f'anchor_{name}', None),
            )
            losses = tf.reshape(loss.losses(states), [-1, self._rows])
            found[name] = tf.reduce_mean(losses, axis=0)
        return found

    def _of_average(self, columns: tf.Tensor) -> tf.Tensor:
        return self._model.step_loss.of_average(columns, self._model.dtype)

    def _named(self, name: str, losses: tf.Tensor, average: tf.Tensor) -> dict[str, tf.Tensor]:
        """[n*B] each -> means over the n, [B]."""
        means = (tf.reduce_mean(tf.reshape(x, [-1, self._rows]), axis=0) for x in (losses, average))
        return dict(zip((name, f'{name}_average'), means, strict=True))

    def _reconstruction_losses(self, state: LSTMState) -> dict[str, tf.Tensor]:
        starts = self.padded(self._batch.r_starts)
        fed = self._batch.fed
        if fed is not None:
            fed = tf.transpose(fed, [2, 1, 0])[: self.steps - 1]
            fed = tf.reshape(fed, [self.steps - 1, self._anchors * self._rows])
        distances = stack_rows(self._batch.r_anchors - self._batch.r_starts)
        decoder = cast(Reconstruction, self._model.reconstruction)
        columns = gather_columns(self.sequences, starts, self.steps)
        lengths = tf.tile(self._row_steps(), [self._anchors])
        losses = decoder.losses(
            decoder.start(LSTMState(*map(self._shuffle, state)), distances),
            columns,
            lengths,
            tf.convert_to_tensor(self._model.embedding),
            fed,
        )
        valid = tf.range(1, self.steps)[:, tf.newaxis] < lengths
        average = mean_of_valid(self._of_average(columns[1:]), valid)
        return self._named('reconstruction', losses, average)

    def _prediction_losses(self) -> dict[str, tf.Tensor]:
        """Reads from each p anchor a on; both LSTMs have their cuts at a, a+S, a+2S, ..."""
        starts, steps, _ = self.windows['prediction']
        anchors = self.padded(self._batch.p_anchors)
        # If a window can begin with its row, the auxiliary LSTM starts later, at the anchor.
        joins = self.sequences.padding is not None or steps > self.steps
        first = stack_rows(anchors - starts) if joins else None
        bptt_steps = self._config.auxiliary_bptt_steps
        cuts = bptt_steps if bptt_steps < steps else None
        state = LSTMState(*map(self._shuffle, self.states['prediction']))
        hidden, _ = truncation.run(
            self.sequences, self.weights, state, starts, steps=steps, bptt_steps=cuts
        )
        targets = gather_columns(self.sequences, starts + 1, steps)
        valid = self._predicted(starts, first, steps)
        predictor = cast(Prediction, self._model.prediction)
        losses = predictor.losses(hidden, targets, valid, first=first, bptt_steps=cuts)
        average = mean_of_valid(self._of_average(targets), valid)
        return self._named('prediction', losses, average)

    def _predicted(self, starts: tf.Tensor, first: tf.Tensor | None, steps: int) -> tf.Tensor:
        """Which columns of the p windows have a target, bool [steps, K*B]."""
        t = tf.range(steps)[:, tf.newaxis]
        begin = 0 if first is None else first
        ends = begin + tf.tile(self._row_steps(), [self._anchors])
        inside = stack_rows(starts) + t + 1 < self._total_steps
        return tf.logical_and(tf.logical_and(t >= begin, t < ends), inside)
