"""Images as their sequences: pixels in their place, segments and anchors drawn in."""

import numpy as np

from tools.inspect.stored import Records, Stored

# Segments in turn, the stretch to be reconstructed, the anchors.
_TINTS = np.array([[1.0, 0.86, 0.7], [0.72, 0.86, 1.0]])
_STRETCH, _R, _P = np.array([0.25, 0.9, 0.35]), np.array([1.0, 0.1, 0.1]), np.array([0.9, 0.2, 1.0])


def places(found: Records) -> np.ndarray:
    """The pixel (raster, row by row) that each step shows, int [T]."""
    spec = found.info.spec
    order = spec.permutation
    return np.arange(spec.fixed_length) if order is None else np.array(order)


def plain(found: Records, example: Stored) -> np.ndarray:
    """Values as a picture, [side, side, C] in 0..1."""
    side = found.info.spec.image_size
    picture = np.zeros([side * side, example.values.shape[-1]])
    picture[places(found)] = example.values / 255.0
    return picture.reshape(side, side, -1)


def annotated(found: Records, example: Stored) -> np.ndarray:
    """The picture in colours: segments in two tints, the first set's stretch and anchors.

    Returns:
      uint8 [side, side, 3].
    """
    side = found.info.spec.image_size
    values = example.values / 255.0
    colours = np.repeat(values, 3, axis=1) if values.shape[1] == 1 else values.copy()
    starts = example.segment_starts(found.info.segment_steps)
    number = np.searchsorted(starts, np.arange(example.steps), side='right')
    # Tinted towards white, so that dark pixels show the segments too.
    colours = (0.25 + 0.75 * colours) * _TINTS[number % 2]
    start = int(example.anchors['r_starts'][0, 0])
    stretch = slice(start, start + found.auxiliary_steps(example))
    colours[stretch] = 0.55 * colours[stretch] + 0.45 * _STRETCH
    for name, colour in (('r_anchors', _R), ('p_anchors', _P)):
        # The state at an anchor is that after the step before it.
        colours[max(0, int(example.anchors[name][0, 0]) - 1)] = colour
    picture = np.zeros_like(colours)
    picture[places(found)] = colours
    return (picture.reshape(side, side, 3) * 255).round().astype(np.uint8)
