"""TensorBoard pictures: the past as decoder or readout reconstructs it, beside the truth.

Each has its caption. A decoder is shown twice, fed the truth and on its own.
"""

from typing import Any, cast

import numpy as np
import tensorflow as tf

from pipelines.format.pixels import pictures_of
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import text_of
from trainer.bptt.lstm import LSTMState
from trainer.bptt.sequences import gather_columns
from trainer.models.batch import Batch
from trainer.models.composition import Composition
from trainer.models.objective import Objective
from trainer.models.protocol import Model
from trainer.models.readout import Readout
from trainer.models.reconstruction import Reconstruction
from trainer.monitoring.figures import draw_reconstructions, draw_side_by_side

# The most steps of documents and signals that are shown.
_READ_OUT_STEPS = 500
_TRUTH = 'truth'


def decode(
    objective: Objective[Any], model: Model, batch: Batch, *, steps: int
) -> dict[str, tf.Tensor]:
    """Decodes the stretch of each row's first anchor, in the two ways that a decoder can be run.

    A decoder that is fed the truth needs to know little: each step is like the one before it. What
    it says on its own, it knows from the state.

    Returns:
      By caption, the outputs for x_{s+1}..x_{s+steps}: float [steps, B, C] values, or int32
      [steps, B] ids.
    """
    composition = cast(Composition, objective.compose(model, batch))
    rows, starts = batch.inputs.shape[0], composition.padded(batch.r_starts[:, :1])
    state = LSTMState(*(s[:rows] for s in composition.read()['reconstruction']))
    columns = gather_columns(composition.sequences, starts, steps + 1)
    decoder = cast(Reconstruction, model.reconstruction)
    start = decoder.start(state, batch.r_anchors[:, 0] - batch.r_starts[:, 0])
    embedding = tf.convert_to_tensor(model.embedding)
    fed = decoder.outputs(start, columns, embedding)
    return {
        'fed the truth': decoder.values(fed, columns.dtype),
        'on its own': decoder.free_run(start, columns[0], tf.constant(steps), embedding),
    }


def read_out(
    objective: Objective[Any], model: Model, batch: Batch, *, steps: int
) -> dict[str, tf.Tensor]:
    """A readout's predictions of each row's last steps, from its last state; as in `decode`."""
    del objective
    hidden = model.encode(model.sequences(batch.inputs, batch.lengths))
    dtype = tf.int32 if batch.inputs.shape.rank == 2 else model.dtype
    said = cast(Readout, model.reconstruction).recall(hidden, tf.range(steps, 0, -1), dtype)
    return {'from the last state': tf.transpose(said, [1, 0, *range(2, said.shape.rank)])}


def draw_images(
    spec: SequenceSpec, inputs: np.ndarray, starts: np.ndarray, outputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Draws the truth and each reconstruction, the rest of the picture dimmed.

    Args:
      spec: of the records; undoes the permutation.
      inputs: uint8 [B, T, C].
      starts: int32 [B], step s of each row.
      outputs: by caption, float [L-1, B, C], in 0..1.

    Returns:
      By caption, the truth first: float [B, side, side, 1 or 3] in 0..1.
    """
    whole = inputs / 255.0
    drawn = {}
    for caption, said in {_TRUTH: None, **outputs}.items():
        dimmed = 0.3 * whole
        for i, start in enumerate(starts):
            stretch = slice(start + 1, start + 1 + len(next(iter(outputs.values()))))
            dimmed[i, stretch] = whole[i, stretch] if said is None else said[:, i].clip(0, 1)
        drawn[caption] = pictures_of(dimmed, spec)
    return drawn


def draw_texts(
    spec: SequenceSpec, inputs: np.ndarray, begins: np.ndarray, outputs: dict[str, np.ndarray]
) -> list[str]:
    """Writes the truth and the reconstructions of each row as Markdown.

    Args:
      spec: of the records; turns ids into text.
      inputs: ids [B, T].
      begins: int32 [B], column of x_s of each row.
      outputs: by caption, ids [L-1, B].
    """
    texts = []
    for i, (row, begin) in enumerate(zip(inputs, begins, strict=True)):
        said = {caption: ids[:, i] for caption, ids in outputs.items()}
        steps = len(next(iter(said.values())))
        parts = {_TRUTH: row[begin + 1 : begin + 1 + steps], **said}
        texts.append('\n\n'.join(f'{k}:\n\n    {text_of(v, spec)!r}' for k, v in parts.items()))
    return texts


class ReconstructionPictures:
    """An evaluation action: writes a few pictures of one fixed batch."""

    def __init__(
        self,
        *,
        objective: Objective[Any],
        model: Model,
        batch: Batch,
        spec: SequenceSpec,
        writer: tf.summary.SummaryWriter,
        global_step: tf.Variable,
    ) -> None:
        self._batch, self._spec = batch, spec
        self._writer, self._global_step = writer, global_step
        self._lengths = lengths = batch.steps().numpy()
        if cast(Reconstruction | Readout, model.reconstruction).by_distance:
            self._steps = int(min(lengths.min(), spec.fixed_length or _READ_OUT_STEPS))
            self._starts, say = lengths - self._steps - 1, read_out
        else:
            self._steps = objective.auxiliary_steps(batch) - 1
            self._starts, say = batch.r_starts[:, 0].numpy(), decode
        self._reconstruct = tf.function(
            lambda: say(objective, model, batch, steps=self._steps), autograph=False
        )

    def __call__(self, logs: dict[str, float]) -> None:
        """Draws with the weights as they are now."""
        del logs
        if self._steps < 1:
            return
        outputs = {caption: said.numpy() for caption, said in self._reconstruct().items()}
        inputs, starts = self._batch.inputs.numpy(), self._starts
        with self._writer.as_default(step=self._global_step):
            if self._spec.kind == 'text':
                begins = inputs.shape[1] - self._lengths + starts
                for i, text in enumerate(draw_texts(self._spec, inputs, begins, outputs)):
                    tf.summary.text(f'reconstruction/{i}', text)
            else:
                pictures = self._draw(inputs, starts, outputs)
                tf.summary.image('reconstruction', pictures, max_outputs=len(pictures))
        self._writer.flush()

    def _draw(
        self, inputs: np.ndarray, starts: np.ndarray, outputs: dict[str, np.ndarray]
    ) -> np.ndarray:
        if self._spec.kind == 'image':
            return draw_side_by_side(draw_images(self._spec, inputs, starts, outputs))
        return draw_reconstructions(inputs, self._lengths, starts, outputs)
