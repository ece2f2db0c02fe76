"""What is drawn into an example, whatever its kind: segments, anchors and their stretches."""

import dataclasses
from typing import NamedTuple

from tools.inspect.stored import Records, Stored


class Anchor(NamedTuple):
    """An anchor and its stretch, in steps counted from 0.

    `read`: steps that have been read there. `start`, `end`: the stretch's first step, and the step
    after its last one; equal if the sequence is too short for one.
    """

    read: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True)
class Marks:
    """Segments of one example, and its first set of anchors.

    Attributes:
      steps: T.
      bounds: the first step of each segment, ascending, 0 first.
      r: anchors of reconstruction; the stretch is what is to be reconstructed, and its first step
        is given.
      p: anchors of prediction; the stretch is what is to be predicted.
    """

    steps: int
    bounds: tuple[int, ...]
    r: tuple[Anchor, ...]
    p: tuple[Anchor, ...]

    def segment(self, number: int) -> tuple[int, int]:
        """First step of a segment, and the step after its last one."""
        return self.bounds[number], [*self.bounds, self.steps][number + 1]


def of(found: Records, example: Stored) -> Marks:
    """The marks of an example's anchor set 0."""
    length, steps = found.auxiliary_steps(example), example.steps
    r_anchors, r_starts, p_anchors = (
        example.anchors[name][0].tolist() for name in ('r_anchors', 'r_starts', 'p_anchors')
    )
    return Marks(
        steps=steps,
        bounds=tuple(example.segment_starts(found.info.segment_steps)),
        r=tuple(Anchor(a, s, s + length) for a, s in zip(r_anchors, r_starts, strict=True)),
        p=tuple(Anchor(a, min(a + 1, steps), min(a + 1 + length, steps)) for a in p_anchors),
    )
