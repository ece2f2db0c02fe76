"""What a state is asked for so that it recalls the steps before it: by a command, or by a server.

A readout recalls all of them (the last 65,536), a decoder the last L, given the first of these.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from pipelines.format.anchors import shortened
from pipelines.format.spec import SequenceSpec

_MOST_STEPS = 65_536
# Outputs of a readout in one call, for each of which it holds some hundred floats.
_OUTPUTS = 1 << 19


def first_of(inputs: Collection[str], about: Mapping[str, Any], *, end: int) -> int:
    """The first step that is recalled of steps 0 to `end`.

    Args:
      inputs: names of the signature `recall`.
      about: what longhaul.json says.
      end: behind the last step that is no trailing step.
    """
    if 'distances' in inputs:
        return max(0, end - _MOST_STEPS)
    return end - int(shortened(min(about['auxiliary_steps'], _MOST_STEPS), end))


def distances(spec: SequenceSpec, *, begin: int, end: int, read: int) -> list[np.ndarray]:
    """Distances int32 [N] of steps `begin` to `end`, in pieces for one call of a readout each.

    Args:
      spec: of the sequences.
      begin: the first step.
      end: behind the last step.
      read: steps that the state has read; the last of them lies at distance 1.
    """
    # Outputs of a step at most: a logit for each id, or 256 for each channel.
    size = max(1, _OUTPUTS // (spec.vocabulary_size or 256 * spec.channels))
    found = read - np.arange(begin, end, dtype=np.int32)
    return [found[i : i + size] for i in range(0, len(found), size)]


def start(
    inputs: Collection[str], first: np.ndarray, *, begin: int, end: int, read: int
) -> dict[str, np.ndarray]:
    """What a decoder is asked for, besides the state, to recall steps `begin + 1` to `end`.

    It recalls one step at least; if `end` is `begin + 1`, none of its steps is wanted.

    Args:
      inputs: names of the signature `recall`.
      first: the true step `begin`, [1(, C)].
      begin: the first step.
      end: behind the last step.
      read: steps that the state has read.
    """
    asked = {'first': first, 'steps': np.array(max(1, end - begin - 1), np.int32)}
    if 'distance' in inputs:
        asked['distance'] = np.array(read - begin, np.int32)
    return asked
