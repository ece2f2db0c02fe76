"""What a run's decoder or readout says of the past, from the last state alone."""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format.anchors import shortened
from pipelines.format.errors import LonghaulError
from tools.report.run_files import RunFiles
from tools.report.weights import Weights
from trainer.bptt.lstm import LSTMState
from trainer.serving.recall import recall_at, recall_stretch

# Steps of a document or signal that a readout is asked for at once, and of an image.
_STEPS, _CHUNK = 100, 8192
_PLACES = ('the nearest steps', 'those in the middle', 'the first steps')


class Stretch(NamedTuple):
    """Steps begin.. of a sequence as they were and as they are recalled, [N, C] or ids [N] each.

    `first`, `last`: how far back its ends lie; the last step that was read lies at distance 1.
    `given`: whether step `begin` was told to the decoder. `place`: where it lies, in words.
    """

    begin: int
    truth: np.ndarray
    said: np.ndarray
    first: int
    last: int
    given: bool
    place: str = ''


def stretches(
    run: RunFiles,
    weights: Weights,
    values: np.ndarray,
    state: dict[str, tf.Tensor],
    *,
    content: int,
) -> list[Stretch]:
    """Recalls a near, a middle and a far stretch; of an image, a readout recalls all at once.

    Args:
      run: of the weights.
      weights: with an r loss.
      values: the steps that were read, as stored, [T, C] or ids [T].
      state: after them, [1, U] each.
      content: how many of them are no trailing steps.

    Raises:
      LonghaulError: if the run has no r loss.
    """
    network = weights.model.reconstruction
    if network is None:
        raise LonghaulError(
            f'{run.name}: has no r loss, so nothing reconstructs; set '
            'ObjectiveConfig.reconstruction_weight'
        )
    say = _read_out if network.by_distance else _decode
    length = _length(run, content, by_distance=network.by_distance)
    if length < 1 + (not network.by_distance):
        return []
    begins = dict.fromkeys((content - length, (content - length) // 2, 0))
    found = [say(weights, values, LSTMState(**state), begin, length) for begin in begins]
    return [one._replace(place=place) for one, place in zip(found, _PLACES, strict=False)]


def _length(run: RunFiles, content: int, *, by_distance: bool) -> int:
    if by_distance:
        return content if run.spec.kind == 'image' else min(_STEPS, content)
    steps = run.known_config.objective.auxiliary_steps
    if run.spec.fixed_length is not None:
        return min(steps, content)
    return int(shortened(steps, content))


def _read_out(
    weights: Weights, values: np.ndarray, state: LSTMState, begin: int, length: int
) -> Stretch:
    distances = (len(values) - np.arange(begin, begin + length)).astype(np.int32)
    parts = [
        recall_at(weights.model, weights.spec, state, tf.constant(distances[i : i + _CHUNK]))
        for i in range(0, length, _CHUNK)
    ]
    said = np.concatenate([part.numpy()[0] for part in parts])
    truth = values[begin : begin + length]
    return Stretch(begin, truth, said, int(distances[0]), int(distances[-1]), given=False)


def _decode(
    weights: Weights, values: np.ndarray, state: LSTMState, begin: int, length: int
) -> Stretch:
    truth, distance = values[begin : begin + length], len(values) - begin
    said = recall_stretch(
        weights.model,
        weights.spec,
        state,
        first=tf.constant(truth[:1]),
        steps=tf.constant(length - 1),
        distance=tf.constant(distance),
    )
    both = np.concatenate([truth[:1], said.numpy()[0]])
    return Stretch(begin, truth, both, distance, distance - length + 1, given=True)


def error(stretch: Stretch) -> float:
    """Of values the mean squared error (of uint8 in 0..1), of ids the share of wrong ones."""
    truth, said = (x[int(stretch.given) :] for x in (stretch.truth, stretch.said))
    if truth.ndim == 1:
        return float(np.mean(truth != said))
    scale = 255 if truth.dtype == np.uint8 else 1
    return float(np.mean(((truth.astype(np.float64) - said) / scale) ** 2))
