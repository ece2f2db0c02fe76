"""What a state still holds of the steps that led to it."""

import base64
import binascii
from typing import Any

import numpy as np

from pipelines.format.spec import SequenceSpec
from tools import recalling
from tools.serve.batches import Asked
from tools.serve.core import Core
from tools.serve.models.loaded import Arrays
from tools.serve.models.version import Version
from tools.serve.refusal import invalid


async def recall(
    core: Core,
    version: Version,
    state: Arrays,
    *,
    step: int,
    shown: int,
    first: list[Any] | None = None,
) -> tuple[int, np.ndarray]:
    """Asks a state for the steps before it.

    See `tools.recalling`: a decoder is given the first of these steps.

    Args:
      core: that is asked.
      version: that the caller holds; it has the signature 'recall'.
      state: [1, U] by name, after `step` steps.
      step: the number of steps read.
      shown: steps of the sequence that are no trailing steps.
      first: the true values of step `first_of(...)`, for a decoder.

    Returns:
      The number of the first recalled step, and the values [N(, C)] from there on.

    Raises:
      Refusal: if the version recalls nothing, or these values make no sense.
    """
    spec, signature = version.model.spec, version.model.signatures.get('recall')
    if spec is None or signature is None:
        raise invalid('recall: the model recalls nothing; export an r-LSTM')
    end = min(step, shown)
    if not end >= 1 or step > 1 << 30:
        raise invalid(f'step: 1 to {1 << 30} is allowed, got {step}')
    inputs, begin = signature.inputs, first_of(version, end)
    if 'distances' in inputs:
        said = []
        for piece in recalling.distances(spec, begin=begin, end=end, read=step):
            asked = Asked('recall', {'distances': piece, **state})
            said.append((await core.compute(version, asked))['values'][0])
        return begin, np.concatenate(said)
    start = _step_of(first, spec)
    questions = recalling.start(inputs, start, begin=begin, end=end, read=step)
    found = await core.compute(version, Asked('recall', questions | state))
    return begin, np.concatenate([start, found['values'][0][: end - begin - 1]])


def first_of(version: Version, end: int) -> int:
    """The first step that is recalled of `end` steps."""
    return recalling.first_of(
        version.model.signatures['recall'].inputs, version.model.about, end=end
    )


def _step_of(first: list[Any] | None, spec: SequenceSpec) -> np.ndarray:
    try:
        found = np.array(first, np.float64).reshape(1, *spec.step_shape)
        if not np.isfinite(found).all() or (spec.dtype != 'float16' and found.min() < 0):
            raise ValueError
        return found.astype(spec.dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise invalid('first: the values of one step are needed') from error


def state_of(version: Version, sent: Any) -> Arrays:
    """A state [1, U] by name, as the page has it.

    Raises:
      Refusal: for anything else.
    """
    inputs = version.model.signatures['classify'].inputs
    if not isinstance(sent, dict) or set(sent) != set(inputs):
        raise invalid(f'state: {sorted(inputs)} are needed')
    found = {}
    for name, text in sent.items():
        try:
            data = base64.b64decode(text, validate=True)
            found[name] = np.frombuffer(data, '<f4').reshape(1, -1)
        except (ValueError, TypeError, binascii.Error) as error:
            raise invalid(f'state: {name} is no state of this model') from error
    return found
