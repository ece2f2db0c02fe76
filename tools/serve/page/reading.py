"""One item, read step by step: what the model would answer on the way, and the states there."""

import base64
from collections.abc import AsyncIterator
from typing import Any

import numpy as np

from tools.serve.batches import Asked
from tools.serve.core import Core
from tools.serve.models.loaded import Arrays
from tools.serve.models.version import Version
from tools.serve.refusal import invalid

# Points of the sequence at which the model is asked.
MOST_POINTS = 200


async def read(core: Core, version: Version, item: bytes, *, points: int) -> AsyncIterator[Any]:
    """Reads an item.

    Args:
      core: that is asked.
      version: that the caller holds.
      item: the bytes of a picture, a text or a .npy file.
      points: of the sequence, at most.

    Yields:
      What the sequence is, see `_about`; then for each point 'step', the number of steps read so
      far, 'probabilities' [classes], and, if the model recalls, 'state', by name in base64.

    Raises:
      Refusal: if the item cannot be read.
    """
    data = np.array([item, None], object)[:-1]
    core.limits.check({'data': data})
    decoded = await core.compute(version, Asked('decode', {'data': data}))
    length = int(decoded['lengths'][0])
    if not decoded['readable'][0] or not length:
        raise invalid('the model cannot read it')
    steps = decoded['inputs'][:1, :length]
    yield _about(version, steps[0])
    if 'advance' not in version.model.signatures:
        found = await core.compute(version, Asked('serving_default', {'data': data}))
        yield {'step': length, 'probabilities': found['probabilities'][0].tolist()}
        return
    state = await core.compute(version, Asked('start', {'batch_size': np.array(1, np.int32)}))
    size = -(-length // points)
    for begin in range(0, length, size):
        chunk = steps[:, begin : begin + size]
        state = await advance(core, version, state, chunk)
        yield await _point(core, version, state, begin + chunk.shape[1])


async def advance(core: Core, version: Version, state: Arrays, chunk: np.ndarray) -> Arrays:
    """The state [1, U] after the next steps [1, T(, C)] of one sequence."""
    lengths = np.array([chunk.shape[1]], np.int32)
    inputs = {'inputs': chunk, 'lengths': lengths, **state}
    return await core.compute(version, Asked('advance', inputs))


async def _point(core: Core, version: Version, state: Arrays, step: int) -> dict[str, Any]:
    found = await core.compute(version, Asked('classify', state))
    point = {'step': step, 'probabilities': found['probabilities'][0].tolist()}
    if 'recall' in version.model.signatures:
        point['state'] = {name: in_base64(array) for name, array in state.items()}
    return point


def _about(version: Version, steps: np.ndarray) -> dict[str, Any]:
    """What the page must know of a sequence [T(, C)] to draw it."""
    spec = version.model.spec
    if spec is None:
        raise invalid('the model was not exported by Longhaul')
    shown = len(steps) - spec.trailing_steps
    return {
        'version': version.number,
        'kind': spec.kind,
        'steps': len(steps),
        'shown': shown,
        'channels': spec.channels,
        'side': spec.image_size,
        'colors': spec.colors,
        'permutation': spec.permutation,
        'vocabulary': spec.vocabulary,
        'classes': version.model.about['class_names'],
        'streams': 'advance' in version.model.signatures,
        'recalls': 'recall' in version.model.signatures,
        'values': values(steps[:shown]),
    }


def values(steps: np.ndarray) -> dict[str, str]:
    """Steps for JavaScript, which has no 16 bit floats: 'dtype' and 'base64'."""
    plain = steps.astype(np.float32) if steps.dtype == np.float16 else steps
    return {'dtype': plain.dtype.name, 'base64': in_base64(plain)}


def in_base64(array: np.ndarray) -> str:
    """The little-endian bytes of an array."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder('<'))
    return base64.b64encode(little.tobytes()).decode()
