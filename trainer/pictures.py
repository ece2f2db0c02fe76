"""TensorBoard pictures: the stretch that the decoder reconstructs, beside the truth."""

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from trainer import truncation
from trainer.auxiliary import values_of
from trainer.figures import draw_reconstructions
from trainer.model import LongSequenceModel
from trainer.objective import Batch


def reconstruct(model: LongSequenceModel, batch: Batch, *, auxiliary_steps: int) -> tf.Tensor:
    """What the decoder says for x_{s+1}..x_{s+L-1} of each row's first anchor, all inputs fed.

    Returns:
      float [L-1, B, C] values, or int32 [L-1, B] ids.
    """
    sequences = model.sequences(batch.inputs, batch.lengths)
    weights = model.main_weights()
    padding = 0 if sequences.padding is None else sequences.padding[:, tf.newaxis]
    anchors = batch.r_anchors[:, :1] + padding
    state = truncation.sweep(sequences, weights, anchors, until=sequences.total_steps)
    columns = truncation.gather_columns(sequences, batch.r_starts[:, :1] + padding, auxiliary_steps)
    decoder = model.reconstruction
    outputs = decoder.outputs(state, columns, tf.convert_to_tensor(model.embedding))
    return values_of(outputs, decoder.levels, columns.dtype)


def draw_images(
    spec: SequenceSpec, inputs: np.ndarray, starts: np.ndarray, outputs: np.ndarray
) -> np.ndarray:
    """Draws truth (left) and reconstruction (right), the rest of the picture dimmed.

    Args:
      spec: of the records; undoes the permutation.
      inputs: uint8 [B, T, C].
      starts: int32 [B], step s of each row.
      outputs: float [L-1, B, C], in 0..1.

    Returns:
      float [B, side, 2 * side, 1 or 3] in 0..1.
    """
    steps, pairs = outputs.shape[0], []
    for row, start, said in zip(inputs / 255.0, starts, outputs.swapaxes(0, 1), strict=True):
        stretch = slice(start + 1, start + 1 + steps)
        truth, guess = 0.3 * row, 0.3 * row
        truth[stretch], guess[stretch] = row[stretch], said.clip(0, 1)
        pairs.append(pictures_of(np.stack([truth, guess]), spec))
    return np.concatenate(np.stack(pairs, axis=1), axis=2)


def draw_texts(
    spec: SequenceSpec, inputs: np.ndarray, begins: np.ndarray, outputs: np.ndarray
) -> list[str]:
    """Writes truth and reconstruction of each row as Markdown.

    Args:
      spec: of the records; turns ids into text.
      inputs: ids [B, T].
      begins: int32 [B], column of x_s of each row.
      outputs: ids [L-1, B].
    """
    texts = []
    for row, begin, said in zip(inputs, begins, outputs.T, strict=True):
        truth = row[begin + 1 : begin + 1 + len(said)]
        pair = (text_of(v, spec) for v in (truth, said))
        texts.append('\n\n'.join(f'    {t!r}' for t in pair))
    return texts


class ReconstructionPictures:
    """An evaluation action: writes a few pictures of one fixed batch."""

    def __init__(
        self,
        *,
        model: LongSequenceModel,
        batch: Batch,
        spec: SequenceSpec,
        auxiliary_steps: int,
        writer: tf.summary.SummaryWriter,
        global_step: tf.Variable,
    ) -> None:
        if batch.lengths is not None:
            auxiliary_steps = min(auxiliary_steps, max(1, batch.inputs.shape[1] // 2))
        self._batch, self._spec, self._steps = batch, spec, auxiliary_steps
        self._writer, self._global_step = writer, global_step
        self._reconstruct = tf.function(
            lambda: reconstruct(model, batch, auxiliary_steps=auxiliary_steps), autograph=False
        )

    def __call__(self, logs: dict[str, float]) -> None:
        """Draws with the weights as they are now."""
        del logs
        if self._steps < 2:
            return
        outputs = self._reconstruct().numpy()
        inputs, starts = self._batch.inputs.numpy(), self._batch.r_starts[:, 0].numpy()
        with self._writer.as_default(step=self._global_step):
            if self._spec.kind == 'text':
                begins = inputs.shape[1] - self._batch.lengths.numpy() + starts
                for i, text in enumerate(draw_texts(self._spec, inputs, begins, outputs)):
                    tf.summary.text(f'reconstruction/{i}', text)
            else:
                pictures = self._draw(inputs, starts, outputs)
                tf.summary.image('reconstruction', pictures, max_outputs=len(pictures))
        self._writer.flush()

    def _draw(self, inputs: np.ndarray, starts: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        if self._spec.kind == 'image':
            return draw_images(self._spec, inputs, starts, outputs)
        return draw_reconstructions(inputs, self._batch.lengths.numpy(), starts, outputs)
