"""One made-up batch for all: what is compared reads the same numbers."""

from typing import TYPE_CHECKING

from tools.benchmark.step.rows import Spec

if TYPE_CHECKING:
    import numpy as np

CLASSES = 10
# Models whose auxiliary losses span L steps.
AUXILIARY_MODELS = ('r', 'p', 'rp')


def made_up_batch(spec: Spec) -> dict[str, 'np.ndarray']:
    """Makes a batch of one channel.

    Args:
      spec: of the measurement.

    Returns:
      'inputs' uint8 [B, T, 1]; 'labels' int32 [B]; and int32 [B, K], each uniform where it may lie:
      'r_anchors' in L..T, 'r_starts' in 0..anchor - L, 'p_anchors' in 0..T - L - 1. They are 0 for
      models without auxiliary losses; L is a readout's window, S.
    """
    import numpy as np

    rng = np.random.default_rng(0)
    batch = {
        'inputs': rng.integers(0, 256, [spec.batch, spec.length, 1], np.uint8),
        'labels': np.arange(spec.batch, dtype=np.int32) % CLASSES,
    }
    shape, steps = [spec.batch, spec.anchors], spec.auxiliary_steps
    r_anchors = r_starts = p_anchors = np.zeros(shape, np.int32)
    if spec.model == 'readout':
        steps = min(spec.bptt_steps, spec.length - 1)
    if spec.model in (*AUXILIARY_MODELS, 'readout'):
        r_anchors = rng.integers(steps, spec.length + 1, shape, np.int32)
        r_starts = rng.integers(0, r_anchors - steps + 1, dtype=np.int32)
        p_anchors = rng.integers(0, spec.length - steps, shape, np.int32)
    return batch | {'r_anchors': r_anchors, 'r_starts': r_starts, 'p_anchors': p_anchors}
