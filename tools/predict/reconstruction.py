"""What a model makes of the steps of an item, from the state that it has read them into."""

from typing import NamedTuple

import numpy as np

from tools import recalling
from tools.items.refused import RefusedRequest
from tools.predict.model import ExportedModel


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
    begin = recalling.first_of(model.recall_inputs, model.about, end=len(truth))
    if 'distances' in model.recall_inputs:
        pieces = recalling.distances(model.spec, begin=begin, end=len(truth), read=length)
        said = [model.call('recall', distances=piece, **state)['values'][0] for piece in pieces]
        return Reconstruction(truth, np.concatenate([truth[:begin], *said]), begin)
    first = truth[np.newaxis, begin]
    asked = recalling.start(model.recall_inputs, first, begin=begin, end=len(truth), read=length)
    values = model.call('recall', **asked, **state)['values'][0][: len(truth) - begin - 1]
    return Reconstruction(truth, np.concatenate([truth[: begin + 1], values]), begin)
