"""Our Transformer baseline, trained as `trainer.main` trains it."""

from tools.benchmark.implementations import Built, longhaul
from tools.benchmark.rows import Spec

LIBRARIES = longhaul.LIBRARIES
candidates = longhaul.candidates
load = longhaul.load


def build(spec: Spec) -> Built:
    """Embedding, heads and classifier are as wide as our LSTM's."""
    return longhaul.build_training(spec, architecture='transformer')
