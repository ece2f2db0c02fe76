"""What TensorBoard shows of a validation: how far gradients reach, what was said, the anchors."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from trainer.bptt import lstm, truncation
from trainer.bptt.lstm import LSTMState, LSTMWeights
from trainer.config import ObjectiveConfig
from trainer.models.auxiliary import Reconstruction
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.objective import Batch, supervised_losses
from trainer.monitoring.figures import draw_signals, new_figure, pixels_of

_TEXT_STEPS = 200


def _window_norms(
    model: LongSequenceModel,
    batch: Batch,
    ends: tf.Tensor,
    steps: int,
    loss_of: Callable[[LSTMState], tf.Tensor],
) -> tf.Tensor:
    """Norm of a loss's gradient at each step of the windows that end at `ends` int32 [B].

    Taken at the pre-activations of the gates [B, 4U], the one place at which all that a step
    learns passes; root of the mean square over rows, float [steps], last step first.
    """
    sequences, weights = model.sequences(batch.inputs, batch.lengths), model.main_weights()
    starts = (ends - steps)[:, tf.newaxis]
    state = truncation.sweep(sequences, weights, starts, until=sequences.total_steps)
    columns = truncation.gather_columns(sequences, starts, steps)
    kernel = weights.kernel
    integer = columns.dtype.is_integer
    gates = tf.gather(kernel, columns) if integer else tf.tensordot(columns, kernel, 1)
    identity = tf.eye(gates.shape[-1], dtype=gates.dtype)
    begin = 0 if sequences.padding is None else sequences.padding
    first = tf.broadcast_to(begin - starts[:, 0], ends.shape)
    with tf.GradientTape() as tape:
        tape.watch(gates)
        through = LSTMWeights(identity, weights.recurrent_kernel, weights.bias)
        _, end = lstm.lstm(gates, through, state, first=first, input_gradient=True)
        loss = tf.reduce_sum(loss_of(end))
    found = tape.gradient(loss, gates)
    return tf.sqrt(tf.reduce_mean(tf.reduce_sum(found**2, axis=-1), axis=-1))[::-1]


def gradient_reach(
    model: LongSequenceModel, batch: Batch, config: ObjectiveConfig
) -> dict[str, tf.Tensor]:
    """How much of each loss's gradient arrives how far before the step that it comes from.

    What the paper is about: with truncation, the classifier's gradient ends after
    `supervised_bptt_steps`, and the auxiliary one starts afresh at every anchor.

    Args:
      model: an LSTM, with a decoder if the run reconstructs.
      batch: [B, T] with the anchors of `batch.r_anchors[:, 0]`.
      config: of the losses.

    Returns:
      By loss ('supervised', 'reconstruction'), float [S]: the norm at distance 1, ..., S from the
      end of the sequence, or from the anchor.
    """
    rows, total = batch.inputs.shape[0], batch.inputs.shape[1]
    padding = 0 if batch.lengths is None else total - batch.lengths
    found = {}
    if steps := min(config.supervised_bptt_steps, total):
        found['supervised'] = _window_norms(
            model,
            batch,
            tf.fill([rows], total),
            steps,
            lambda end: supervised_losses(model.classifier(end.h), batch.labels),
        )
    if isinstance(model.reconstruction, Reconstruction) and config.auxiliary_bptt_steps:
        steps = min(config.auxiliary_bptt_steps, total)
        length = config.auxiliary_steps
        if batch.lengths is not None:
            length = min(length, max(1, total // 2))
        sequences = model.sequences(batch.inputs, batch.lengths)
        starts = batch.r_starts[:, :1] + (padding if batch.lengths is None else padding[:, None])
        columns = truncation.gather_columns(sequences, starts, length)
        embedding = tf.convert_to_tensor(model.embedding)
        lengths = tf.fill([rows], length)
        if batch.lengths is not None:
            lengths = tf.minimum(tf.maximum(batch.lengths // 2, 1), length)

        def decode(end: LSTMState) -> tf.Tensor:
            """The reconstruction's loss of each row."""
            start = model.reconstruction.start(end, distances)
            return model.reconstruction.losses(start, columns, lengths, embedding)

        distances = batch.r_anchors[:, 0] - batch.r_starts[:, 0]
        ends = batch.r_anchors[:, 0] + padding
        found['reconstruction'] = _window_norms(model, batch, ends, steps, decode)
    return found


def draw_reach(reach: dict[str, np.ndarray]) -> np.ndarray:
    """Draws norms over distance; uint8 [1, height, width, 4], for a summary."""
    figure = new_figure(6, 3.2)
    axes = figure.subplots()
    for name, norms in reach.items():
        # Zeros have no place on a logarithmic axis: the line ends there.
        axes.plot(np.arange(1, len(norms) + 1), np.where(norms > 0, norms, np.nan), label=name)
    axes.set(xlabel='steps before the anchor, or the end', ylabel='gradient norm', yscale='log')
    axes.grid(alpha=0.3)
    axes.legend(loc='upper right')
    return pixels_of(figure)[np.newaxis]


class Diagnostics:
    """An evaluation action: writes how far gradients reach, and a few predictions."""

    def __init__(
        self,
        *,
        model: LongSequenceModel,
        batch: Batch,
        spec: SequenceSpec,
        class_names: tuple[str, ...],
        config: ObjectiveConfig,
        writer: tf.summary.SummaryWriter,
        global_step: tf.Variable,
    ) -> None:
        """Takes a fixed batch of the validation split."""
        self._model, self._batch, self._spec = model, batch, spec
        self._names, self._writer, self._step = class_names, writer, global_step
        self._reach = tf.function(lambda: gradient_reach(model, batch, config), autograph=False)
        self._probabilities = tf.function(self._classify, autograph=False)

    def _classify(self) -> tf.Tensor:
        sequences = self._model.sequences(self._batch.inputs, self._batch.lengths)
        return tf.nn.softmax(self._model.classify(self._model.encode(sequences)))

    def __call__(self, logs: dict[str, float]) -> None:
        """Writes with the weights as they are now."""
        del logs
        reach = {name: norms.numpy() for name, norms in self._reach().items()}
        with self._writer.as_default(step=self._step):
            if reach:
                tf.summary.image('gradient_reach', draw_reach(reach))
            for name, norms in reach.items():
                for distance in sorted({1, 10, 100, len(norms)}):
                    if distance <= len(norms):
                        tag = f'gradient_reach/{name}_{distance}'
                        tf.summary.scalar(tag, norms[distance - 1])
            if self._names:
                self._write_predictions(self._probabilities().numpy())
        self._writer.flush()

    def _write_predictions(self, probabilities: np.ndarray) -> None:
        rows = ['| | said | probability | label |', '| --- | --- | --- | --- |']
        inputs, labels = self._batch.inputs.numpy(), self._batch.labels.numpy()
        for i, (found, label) in enumerate(zip(probabilities, labels, strict=True)):
            said = int(found.argmax())
            truth = self._names[label] if label >= 0 else 'none'
            text = self._text(inputs[i]) if self._spec.kind == 'text' else ''
            rows.append(f'| {i} {text} | {self._names[said]} | {found[said]:.1%} | {truth} |')
        tf.summary.text('predictions_table', '\n'.join(rows))
        if self._spec.kind == 'text':
            return
        if self._spec.kind == 'image':
            pictures = pictures_of(inputs, self._spec)
        else:
            pictures = draw_signals(inputs, self._batch.lengths.numpy())
        tf.summary.image('predictions', pictures, max_outputs=len(pictures))

    def _text(self, row: np.ndarray) -> str:
        text = text_of(row[-_TEXT_STEPS:], self._spec)
        return ' '.join(text.replace('|', '/').split())


class AnchorHistograms:
    """A training action: writes the anchors of the epoch at hand, once per epoch."""

    def __init__(
        self,
        draw: Callable[[int], dict[str, np.ndarray]],
        *,
        steps_per_epoch: int,
        writer: tf.summary.SummaryWriter,
        global_step: tf.Variable,
    ) -> None:
        """Takes `draw`: epoch -> name -> int32 [N], the anchors of a split's examples."""
        self._draw, self._steps_per_epoch = draw, steps_per_epoch
        self._writer, self._step, self._epoch = writer, global_step, -1

    def __call__(self, logs: dict[str, float]) -> None:
        """Writes if an epoch has begun since the last time."""
        del logs
        epoch = int(self._step.numpy()) // self._steps_per_epoch
        if epoch == self._epoch:
            return
        self._epoch = epoch
        with self._writer.as_default(step=self._step):
            for name, anchors in self._draw(epoch).items():
                tf.summary.histogram(f'anchors/{name}', anchors)
        self._writer.flush()


class Profile:
    """A training action: profiles the loops of a phase that lie between two global steps."""

    def __init__(self, folder: str, steps: tuple[int, int], *, global_step: tf.Variable) -> None:
        self._folder, (self._first, self._last), self._step = folder, steps, global_step
        self._profiles = False

    def __call__(self, logs: dict[str, float]) -> None:
        """Begins or ends."""
        del logs
        step = int(self._step.numpy())
        if not self._profiles and self._first <= step < self._last:
            tf.profiler.experimental.start(self._folder)
            self._profiles = True
        elif step >= self._last:
            self.close()

    def close(self) -> None:
        """Writes what was profiled; call it where the phase ends, too."""
        if self._profiles:
            tf.profiler.experimental.stop()
        self._profiles = False
