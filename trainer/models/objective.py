"""The paper's Figure 2, composed: sweep -> windows -> losses.

The supervised window ends at T, an r window ends at its anchor, p windows start at theirs; readouts
of past and future share windows that hold many anchors. Windows of equal length that end somewhere
are stacked and read by one LSTM; the sweep below them is read once for all. Source: Trinh et al.
2018, section 3.
"""

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from trainer.bptt import truncation
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.bptt.truncation import Sequences
from trainer.config import ObjectiveConfig
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.readout_anchors import ReadoutAnchors
from trainer.models.step_losses import mean_of_valid

_AUXILIARY = ('reconstruction', 'prediction', 'reconstruction_average', 'prediction_average')


class Batch(NamedTuple):
    """What the losses are computed from; B static.

    `inputs`: stored columns, right-aligned: [B, T, C] values or [B, T] ids. `lengths`: int32 [B],
    or None when every row has T steps. `labels`: int32 [B], -1 = none. `r_anchors`, `r_starts`,
    `p_anchors`: int32 [B, K], in steps of the row (padding not counted). `fed`: bool [B, K, L-1],
    see `Reconstruction.outputs`, or None. `r_distances`, `p_distances`: int32 [N], what readouts
    are asked about, or None.
    """

    inputs: tf.Tensor
    lengths: tf.Tensor | None
    labels: tf.Tensor
    r_anchors: tf.Tensor
    r_starts: tf.Tensor
    p_anchors: tf.Tensor
    fed: tf.Tensor | None = None
    r_distances: tf.Tensor | None = None
    p_distances: tf.Tensor | None = None


class Losses(NamedTuple):
    """Per example [B], unweighted (0 where a loss is not used), and the classifier's logits.

    `encoded`: [B, F], what the logits were computed from. `reconstruction_average`,
    `prediction_average`: [B], what always saying the average costs at the steps that were asked.
    """

    supervised: tf.Tensor
    reconstruction: tf.Tensor
    prediction: tf.Tensor
    logits: tf.Tensor | None
    encoded: tf.Tensor | None = None
    reconstruction_average: tf.Tensor | None = None
    prediction_average: tf.Tensor | None = None


@dataclasses.dataclass(frozen=True)
class Objective:
    """Which losses, and how far their gradients reach, on records of one `segment_steps`.

    The sweep walks in strides no longer than a segment: documents are padded to whole ones.
    """

    config: ObjectiveConfig
    segment_steps: int
    supervised: bool = True

    def weighted(self, losses: Losses) -> tf.Tensor:
        """The weighted sum of the losses of each example, [B]."""
        weighted = losses.reconstruction * self.config.reconstruction_weight
        weighted += losses.prediction * self.config.prediction_weight
        if self.supervised:
            weighted += losses.supervised * self.config.supervised_weight
        return weighted

    def total(self, losses: Losses, global_batch_size: int) -> tf.Tensor:
        """The weighted losses, summed over the examples, divided by the global batch size."""
        weighted = self.weighted(losses)
        return tf.reduce_sum(weighted) / tf.cast(global_batch_size, weighted.dtype)

    def losses(
        self,
        model: LongSequenceModel,
        batch: Batch,
        dropconnect: tf.Tensor | None = None,
        *,
        other_states: bool = False,
    ) -> Losses:
        """Computes the losses of each example; gradients are cut exactly (design: truncation).

        Args:
          model: with the parts that the losses need.
          batch: of B sequences.
          dropconnect: [F, F], see `Classifier`; None when evaluating.
          other_states: whether the auxiliary losses get the states of other rows of the batch
            than they ask about: what they cost without the state, see
            `trainer.monitoring.state_use`.

        Returns:
          The losses of each example and, with `supervised`, the logits.
        """
        return _Composer(self, model, batch, other_states).losses(dropconnect)


def _split(state: LSTMState, sizes: list[int]) -> list[LSTMState]:
    """Rows [sum of sizes, U] -> one state of each size."""
    parts = (tf.split(s, sizes) for s in state)
    return [LSTMState(c, h) for c, h in zip(*parts, strict=True)]


def supervised_losses(logits: tf.Tensor, labels: tf.Tensor) -> tf.Tensor:
    """Cross-entropy of logits [B, classes] with labels int32 [B]; 0 where a label is -1."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    return tf.where(labels >= 0, losses, tf.zeros_like(losses))


class _Window(NamedTuple):
    """Stretches of the rows that the main LSTM reads with gradient.

    `starts` int32 [B, W], positions in the padded batch; `steps` static; `held`: whether a start
    can lie before its row's first step.
    """

    starts: tf.Tensor
    steps: int
    held: bool


class _Composer:
    """One batch on its way from columns to losses."""

    def __init__(
        self, objective: Objective, model: LongSequenceModel, batch: Batch, other_states: bool
    ) -> None:
        self.other_states = other_states
        self.config, self.supervised = objective.config, objective.supervised
        self.model, self.batch = model, batch
        self.sequences: Sequences = model.sequences(batch.inputs, batch.lengths)
        self.weights: LSTMWeights = model.main_weights()
        self.rows, self.total_steps = batch.inputs.shape[0], self.sequences.total_steps
        self.anchors = batch.r_anchors.shape[1]
        self.steps = self._auxiliary_steps()
        self.windows: dict[str, _Window] = self._windows()
        self.states: dict[str, LSTMState] = self._sweep(objective.segment_steps)

    def _auxiliary_steps(self) -> int:
        """L of this batch: documents shorter than 2L have their own, shorter ones."""
        if self.batch.lengths is None:
            return self.config.auxiliary_steps
        return min(self.config.auxiliary_steps, max(1, self.total_steps // 2))

    def _row_steps(self) -> tf.Tensor:
        """L_i, int32 [B]."""
        if self.batch.lengths is None:
            return tf.fill([self.rows], self.steps)
        halves = tf.maximum(self.batch.lengths // 2, 1)
        return tf.minimum(halves, self.config.auxiliary_steps)

    def _padded(self, positions: tf.Tensor) -> tf.Tensor:
        """Positions in the rows [B, K] -> positions in the padded batch."""
        if self.sequences.padding is None:
            return positions
        return positions + self.sequences.padding[:, tf.newaxis]

    def _windows(self) -> dict[str, _Window]:
        """The windows of the losses in use."""
        windows, readouts = {}, self.config.readouts
        if self.supervised:
            windows['supervised'] = self._supervised_window()
        if readouts:
            windows['readout'] = self._readout_windows()
        if self.config.reconstruction_weight and 'reconstruction' not in readouts:
            windows['reconstruction'] = self._reconstruction_windows()
        if self.config.prediction_weight and 'prediction' not in readouts:
            windows['prediction'] = self._prediction_windows()
        return windows

    def _readout_windows(self) -> _Window:
        """The S steps before each r anchor, or a row's first S; all of a row that is shorter."""
        steps = min(self.config.auxiliary_bptt_steps, self.total_steps)
        begin = 0 if self.sequences.padding is None else self.sequences.padding[:, tf.newaxis]
        starts = tf.maximum(self._padded(self.batch.r_anchors) - steps, begin)
        starts = tf.minimum(starts, self.total_steps - steps)
        return _Window(starts, steps, held=self.sequences.padding is not None)

    def _supervised_window(self) -> _Window:
        """The last S steps; the padding of a shorter row is held at zero."""
        steps = min(self.config.supervised_bptt_steps, self.total_steps)
        starts = tf.fill([self.rows, 1], self.total_steps - steps)
        return _Window(starts, steps, held=self.sequences.padding is not None)

    def _reconstruction_windows(self) -> _Window:
        """The S steps before each r anchor, fewer where the row begins later."""
        steps = min(self.config.auxiliary_bptt_steps, self.total_steps)
        # Anchors of fixed-length data are at L or later: no window begins before the sequence.
        held = self.sequences.padding is not None or steps > self.steps
        return _Window(self._padded(self.batch.r_anchors) - steps, steps, held)

    def _prediction_windows(self) -> _Window:
        """From each p anchor on.

        A row with no more than S steps has no cut at all: its window begins with the row, and the
        auxiliary LSTM joins at the anchor.
        """
        bptt_steps = self.config.auxiliary_bptt_steps
        starts, steps = self._padded(self.batch.p_anchors), self.steps
        if self.sequences.padding is not None:
            whole = (self.batch.lengths <= bptt_steps)[:, tf.newaxis]
            starts = tf.where(whole, self.sequences.padding[:, tf.newaxis], starts)
            steps = max(steps, min(bptt_steps, self.total_steps))
        elif bptt_steps >= self.total_steps:
            starts, steps = tf.zeros_like(starts), self.total_steps
        return _Window(starts, steps, held=False)

    def _latest_start(self) -> int:
        """The last position at which any window can start."""
        latest = {
            'supervised': self.total_steps - self.config.supervised_bptt_steps,
            'reconstruction': self.total_steps - self.config.auxiliary_bptt_steps,
            'readout': self.total_steps - self.config.auxiliary_bptt_steps,
            'prediction': self.total_steps - 1 - (self.steps if self.batch.lengths is None else 0),
        }
        if self.config.auxiliary_bptt_steps >= self.total_steps and self.batch.lengths is None:
            latest['prediction'] = 0
        return max(0, *(latest[name] for name in self.windows))

    def _sweep(self, segment_steps: int) -> dict[str, LSTMState]:
        """The states at the starts of all windows, by loss; [W*B, U] each."""
        starts = [window.starts for window in self.windows.values()]
        state = truncation.sweep(
            self.sequences,
            self.weights,
            tf.concat(starts, axis=1),
            until=self._latest_start(),
            stride_steps=min(segment_steps, truncation.STRIDE_STEPS),
        )
        parts = _split(state, [s.shape[1] * self.rows for s in starts])
        return dict(zip(self.windows, parts, strict=True))

    def losses(self, dropconnect: tf.Tensor | None) -> Losses:
        """The losses of each example, see `Objective.losses`."""
        read = self._read()
        zeros = tf.zeros([self.rows], self.model.dtype)
        logits, encoded = None, None
        found = dict.fromkeys(('supervised', *_AUXILIARY), zeros)
        if 'supervised' in self.windows:
            encoded = read['supervised'].h
            logits = self.model.classifier(encoded, dropconnect)
            found['supervised'] = supervised_losses(logits, self.batch.labels)
        if 'readout' in self.windows:
            found |= self._readout_losses(read['readout'])
        if 'reconstruction' in self.windows:
            found |= self._reconstruction_losses(read['reconstruction'])
        if 'prediction' in self.windows:
            found |= self._prediction_losses()
        return Losses(**found, logits=logits, encoded=encoded)

    def shuffle(self, states: tf.Tensor) -> tf.Tensor:
        """States [n*B, U] as they are, or each row's from the row beside it."""
        if not self.other_states:
            return states
        by_row = tf.reshape(states, [-1, self.rows, states.shape[1]])
        return tf.reshape(tf.roll(by_row, 1, axis=1), states.shape)

    def _read(self) -> dict[str, LSTMState | tf.Tensor]:
        """Reads the windows that end somewhere, with gradient, those of one length by one LSTM.

        Returns:
          The states [W*B, U] at their ends; of readouts the hidden states after each of their
          steps, [S, W*B, U].
        """
        windows = {name: w for name, w in self.windows.items() if name != 'prediction'}
        found = {}
        for steps in {w.steps for w in windows.values()}:
            names = [name for name, w in windows.items() if w.steps == steps]
            found |= self._read_stacked(names)
        return found

    def _read_stacked(self, names: list[str]) -> dict[str, LSTMState | tf.Tensor]:
        """Windows of one length, stacked along the batch axis."""
        windows = [self.windows[name] for name in names]
        sizes = [w.starts.shape[1] * self.rows for w in windows]
        states = [self.states[name] for name in names]
        state = LSTMState(*(tf.concat(parts, 0) for parts in zip(*states, strict=True)))
        if not windows[0].steps:
            return dict(zip(names, _split(state, sizes), strict=True))
        starts = tf.concat([w.starts for w in windows], axis=1)
        how = {'steps': windows[0].steps, 'held': any(w.held for w in windows)}
        place = (self.sequences, self.weights, state, starts)
        if 'readout' not in names:
            end = truncation.run_to_end(*place, **how)
            return dict(zip(names, _split(end, sizes), strict=True))
        hidden, end = truncation.run(*place, **how)
        found = dict(zip(names, _split(end, sizes), strict=True))
        after = dict(zip(names, tf.split(hidden, sizes, axis=1), strict=True))
        return found | {'readout': after['readout']}

    def _readout_losses(self, hidden: tf.Tensor) -> dict[str, tf.Tensor]:
        """Losses [B] by name, from the hidden states [S, K*B, U] of the readouts' windows."""
        anchors = ReadoutAnchors.of(
            self.windows['readout'].starts,
            padding=self.sequences.padding,
            steps=self.windows['readout'].steps,
            count=self.config.anchors_per_window,
        )
        hidden = self.shuffle(anchors.pick(hidden))
        found = {}
        for name in self.config.readouts:
            future = name == 'prediction'
            distances = self.batch.p_distances if future else self.batch.r_distances
            columns, valid = anchors.asked(self.sequences, distances, future=future)
            losses = getattr(self.model, name).losses(hidden, distances, columns, valid)
            average = mean_of_valid(self._of_average(columns), valid, axis=-1)
            found |= self._named(name, losses, average)
        return found

    def _of_average(self, columns: tf.Tensor) -> tf.Tensor:
        return self.model.step_loss.of_average(columns, self.model.dtype)

    def _named(self, name: str, losses: tf.Tensor, average: tf.Tensor) -> dict[str, tf.Tensor]:
        """[n*B] each -> means over the n, [B]."""
        means = (tf.reduce_mean(tf.reshape(x, [-1, self.rows]), axis=0) for x in (losses, average))
        return dict(zip((name, f'{name}_average'), means, strict=True))

    def _reconstruction_losses(self, state: LSTMState) -> dict[str, tf.Tensor]:
        starts = self._padded(self.batch.r_starts)
        fed = self.batch.fed
        if fed is not None:
            fed = tf.transpose(fed, [2, 1, 0])[: self.steps - 1]
            fed = tf.reshape(fed, [self.steps - 1, self.anchors * self.rows])
        distances = truncation.stack_rows(self.batch.r_anchors - self.batch.r_starts)
        decoder = self.model.reconstruction
        columns = truncation.gather_columns(self.sequences, starts, self.steps)
        lengths = tf.tile(self._row_steps(), [self.anchors])
        losses = decoder.losses(
            decoder.start(LSTMState(*map(self.shuffle, state)), distances),
            columns,
            lengths,
            tf.convert_to_tensor(self.model.embedding),
            fed,
        )
        valid = tf.range(1, self.steps)[:, tf.newaxis] < lengths
        average = mean_of_valid(self._of_average(columns[1:]), valid)
        return self._named('reconstruction', losses, average)

    def _prediction_losses(self) -> dict[str, tf.Tensor]:
        """Reads from each p anchor on; cuts lie at a, a+S, a+2S, ... for both LSTMs alike."""
        starts, steps, _ = self.windows['prediction']
        anchors = self._padded(self.batch.p_anchors)
        # Where windows can begin with their rows, the auxiliary LSTM joins later.
        joins = self.sequences.padding is not None or steps > self.steps
        first = truncation.stack_rows(anchors - starts) if joins else None
        cuts = self.config.auxiliary_bptt_steps
        cuts = cuts if cuts < steps else None
        state = LSTMState(*map(self.shuffle, self.states['prediction']))
        hidden, _ = truncation.run(
            self.sequences, self.weights, state, starts, steps=steps, bptt_steps=cuts
        )
        targets = truncation.gather_columns(self.sequences, starts + 1, steps)
        valid = self._predicted(starts, first, steps)
        predictor = self.model.prediction
        losses = predictor.losses(hidden, targets, valid, first=first, bptt_steps=cuts)
        average = mean_of_valid(self._of_average(targets), valid)
        return self._named('prediction', losses, average)

    def _predicted(self, starts: tf.Tensor, first: tf.Tensor | None, steps: int) -> tf.Tensor:
        """Which columns of the p windows have a target, bool [steps, K*B]."""
        t = tf.range(steps)[:, tf.newaxis]
        begin = 0 if first is None else first
        ends = begin + tf.tile(self._row_steps(), [self.anchors])
        inside = truncation.stack_rows(starts) + t + 1 < self.total_steps
        return tf.logical_and(tf.logical_and(t >= begin, t < ends), inside)
