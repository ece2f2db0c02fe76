"""What a model makes of the steps of an item, from the state that it has read them into."""

from typing import NamedTuple

import numpy as np

from pipelines.format.anchors import shortened
from pipelines.format.spec import SequenceSpec
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel

# Steps that a readout is asked for; of a longer sequence, the last ones.
_MOST_STEPS = 65_536
# Outputs of one call, for each of which a readout holds some hundred floats.
_OUTPUTS = 1 << 19


class Reconstruction(NamedTuple):
    """Steps as they were, and as a model recalls them.

    `truth`, `guess`: [T, C] or ids [T], of the stored dtype, without trailing steps; the same
    before step `begin`.
    """

    truth: np.ndarray
    guess: np.ndarray
    begin: int


def reconstruct(model: ExportedModel, item: bytes) -> Reconstruction:
    """Reads an item and asks for its steps.

    A readout is asked for all of them (the last 65,536), a decoder for the last L, given the first
    of these; with trailing steps, all are recalled from the state behind those.

    Args:
      model: with a decoder or a readout.
      item: the bytes of a file.

    Raises:
      RefusedRequest: if the model cannot read it.
    """
    data = np.array([item, None], object)[:-1]
    decoded = model.call('decode', data=data)
    if not decoded['readable'][0]:
        raise RefusedRequest('the model cannot read it')
    state = {k: v for k, v in model.call('encode', data=data).items() if k != 'readable'}
    length = int(decoded['lengths'][0])
    truth = decoded['inputs'][0, : length - model.spec.trailing_steps]
    if 'distances' in model.recall_inputs:
        return _read_out(model, state, truth, length)
    return _decode(model, state, truth, length)


def _read_out(
    model: ExportedModel, state: dict[str, np.ndarray], truth: np.ndarray, length: int
) -> Reconstruction:
    begin = max(0, len(truth) - _MOST_STEPS)
    # The last step that was read lies at distance 1.
    distances = length - np.arange(begin, len(truth), dtype=np.int32)
    size = max(1, _OUTPUTS // _outputs_of_a_step(model.spec))
    said = [
        model.call('recall', distances=distances[i : i + size], **state)['values'][0]
        for i in range(0, len(distances), size)
    ]
    return Reconstruction(truth, np.concatenate([truth[:begin], *said]), begin)


def _outputs_of_a_step(spec: SequenceSpec) -> int:
    """Counts the outputs of a step at most: a logit for each id, or 256 for each channel."""
    return spec.vocabulary_size or 256 * spec.channels


def _decode(
    model: ExportedModel, state: dict[str, np.ndarray], truth: np.ndarray, length: int
) -> Reconstruction:
    wanted = int(shortened(model.about['auxiliary_steps'], len(truth)))
    begin = len(truth) - wanted
    asked: dict[str, np.ndarray | np.generic] = {
        'first': truth[np.newaxis, begin],
        'steps': np.int32(max(1, wanted - 1)),
    }
    if 'distance' in model.recall_inputs:
        asked['distance'] = np.int32(length - begin)
    said = model.call('recall', **asked, **state)['values'][0]
    guess = np.concatenate([truth[: begin + 1], said[: wanted - 1]])
    return Reconstruction(truth, guess, begin)
