"""Diagnostics for TensorBoard: the reach of gradients, predictions, anchors and profiles."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from trainer.models.batch import Batch
from trainer.models.objective import Objective
from trainer.models.protocol import Model
from trainer.monitoring.figures import draw_signals
from trainer.monitoring.gradient_reach import draw_reach, gradient_reach
from trainer.run_dir.markdown import plain

_TEXT_STEPS = 200


class Diagnostics:
    """An evaluation action: writes how far gradients reach, and a few predictions."""

    def __init__(
        self,
        *,
        objective: Objective[Any],
        model: Model,
        batch: Batch,
        spec: SequenceSpec,
        class_names: tuple[str, ...],
        writer: tf.summary.SummaryWriter,
        global_step: tf.Variable,
    ) -> None:
        """Takes a fixed batch of the validation split."""
        self._model, self._batch, self._spec = model, batch, spec
        self._names = [plain(name) for name in class_names]
        self._writer, self._step = writer, global_step
        self._reach = tf.function(lambda: gradient_reach(objective, model, batch), autograph=False)
        self._probabilities = tf.function(self._classify, autograph=False)

    def _classify(self) -> tf.Tensor:
        sequences = self._model.sequences(self._batch.inputs, self._batch.lengths)
        return tf.nn.softmax(self._model.classifier(self._model.encode(sequences)))

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
            pictures = draw_signals(inputs, self._batch.steps().numpy())
        tf.summary.image('predictions', pictures, max_outputs=len(pictures))

    def _text(self, row: np.ndarray) -> str:
        text = text_of(row[-_TEXT_STEPS:], self._spec)
        return plain(' '.join(text.split()))


class AnchorHistograms:
    """A training action: writes the anchors of the current epoch, once per epoch."""

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
        """Starts or ends the profile, if its step has been reached."""
        del logs
        step = int(self._step.numpy())
        if not self._profiles and self._first <= step < self._last:
            tf.profiler.experimental.start(self._folder)
            self._profiles = True
        elif step >= self._last:
            self.close()

    def close(self) -> None:
        """Ends a profile that is running and writes it; call it at the end of the phase, too."""
        if self._profiles:
            tf.profiler.experimental.stop()
        self._profiles = False
