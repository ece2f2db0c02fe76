"""Reads sequences in chunks with the weights that a run was evaluated with."""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec
from tools.report.run_files import RunFiles
from trainer.bptt.sequences import Sequences
from trainer.models.architectures import make_model
from trainer.models.protocol import Model, State
from trainer.run_dir.folder import ModelDir


class Reading(NamedTuple):
    """What a model says while it reads B sequences, at P points each.

    `steps`: int64 [B, P], steps read at each point, the last one all. `probabilities`: float
    [B, P, classes]. `state`: [B, U] each, after all steps.
    """

    steps: np.ndarray
    probabilities: np.ndarray
    state: State


class Weights:
    """A model with its weights.

    Attributes:
      model: the model.
      spec: of the sequences that it reads.
    """

    def __init__(self, model: Model, spec: SequenceSpec) -> None:
        self.model, self.spec = model, spec
        self._advance = tf.function(self._read_chunk, autograph=False, reduce_retracing=True)

    def _read_chunk(
        self, state: State, inputs: tf.Tensor, lengths: tf.Tensor
    ) -> tuple[State, tf.Tensor]:
        columns = Sequences(inputs, dtype=self.model.dtype).decode(inputs)
        state = self.model.advance(state, columns, lengths)
        return state, tf.nn.softmax(self.model.classifier(state['h']))

    def read(self, sequences: list[np.ndarray], *, points: int) -> Reading:
        """Reads whole sequences, each cut into equal chunks; memory does not grow with length.

        Args:
          sequences: as stored, [T_i, C] or ids [T_i] each.
          points: after which the classes are asked for, at most; P = min(points, longest T_i).

        Raises:
          LonghaulError: if the model reads nothing but whole sequences.
        """
        if not self.model.state_names:
            raise LonghaulError(
                'ModelConfig.architecture: attention needs all steps at once, so nothing is to be '
                'seen while it reads; an LSTM or a GRU reads step by step'
            )
        lengths = np.array([len(values) for values in sequences])
        points = min(points, int(lengths.max()))
        bounds = np.round(np.outer(lengths, np.arange(points + 1) / points)).astype(np.int64)
        width = int(np.diff(bounds, axis=1).max())
        state, said = self.model.start(tf.constant(len(sequences))), []
        for begin, end in zip(bounds[:, :-1].T, bounds[:, 1:].T, strict=True):
            chunk = _stacked(sequences, begin, end, width)
            taken = tf.constant((end - begin).astype(np.int32))
            state, probabilities = self._advance(state, tf.constant(chunk), taken)
            said.append(probabilities.numpy())
        return Reading(bounds[:, 1:], np.stack(said, axis=1), state)


def load(run: RunFiles) -> Weights:
    """Reads the checkpoint that the evaluation names, or the one that would be evaluated now.

    Raises:
      LonghaulError: if there is none, or it holds another model.
    """
    folder, config = ModelDir(run.folder, flag='RUN'), run.known_config
    model: Model = make_model(config, run.spec, classes=max(1, len(run.class_names)))
    step = tf.Variable(0, dtype=tf.int64, trainable=False)
    path = folder / str(run.evaluation.get('checkpoint', ''))
    if not tf.io.gfile.exists(f'{path}.index'):
        path = folder.evaluated_checkpoint()
    folder.read_evaluated(path, model=model, global_step=step)
    return Weights(model, run.spec)


def _stacked(
    sequences: list[np.ndarray], begin: np.ndarray, end: np.ndarray, width: int
) -> np.ndarray:
    """Steps begin_i..end_i-1 of each sequence, zeros behind them: [width, B(, C)]."""
    first = sequences[0]
    chunk = np.zeros([width, len(sequences), *first.shape[1:]], first.dtype)
    for i, values in enumerate(sequences):
        chunk[: end[i] - begin[i], i] = values[begin[i] : end[i]]
    return chunk


def one_row(state: State, row: int) -> dict[str, Any]:
    """The state of one sequence, [1, U] each."""
    return {name: values[row : row + 1] for name, values in state.items()}


def leads_from(probabilities: np.ndarray, label: int) -> int | None:
    """The point from which a class leads until the end; None if it does not lead at the end.

    Args:
      probabilities: [P, classes].
      label: of the class.
    """
    leads = probabilities.argmax(axis=-1) == label
    if not leads[-1]:
        return None
    others = np.flatnonzero(~leads)
    return int(others[-1]) + 1 if len(others) else 0


def rows_at_once(longest: int, *, values: int = 1 << 24, most: int = 48) -> int:
    """How many sequences of so many steps are read together."""
    return max(1, min(most, math.floor(values / max(1, longest))))
