"""Our r-LSTM, or the plain truncated LSTM, in PyTorch."""

from tools.benchmark.implementations import Built, torch_full, torch_training
from tools.benchmark.rows import Candidate, Spec

LIBRARIES = torch_training.LIBRARIES
load = torch_training.load
_DROPCONNECT_RATE = 0.5


def candidates(spec: Spec) -> list[Candidate]:
    """Those of the LSTM, the embedding folded into the input kernel; the first one without, too."""
    found = torch_full.candidates(spec)
    folded = [Candidate(c.options | {'folded': True}, c.environment) for c in found]
    return [*folded, Candidate(found[0].options | {'folded': False}, found[0].environment)]


def build(spec: Spec) -> Built:
    """The model and a training step."""
    import torch

    from tools.benchmark.implementations.torch_r_lstm import Batch, TruncatedLSTM

    torch.manual_seed(0)
    module = TruncatedLSTM(
        units=spec.units,
        bptt_steps=spec.bptt_steps,
        auxiliary_steps=spec.auxiliary_steps,
        reconstructs=spec.model == 'r',
        folded=spec.candidate.options['folded'],
    )
    tensors = torch_training.tensors(spec)
    names = ('labels', 'r_anchors', 'r_starts')

    def loss_of(part: Batch, generator: torch.Generator) -> torch.Tensor:
        shape = [torch_training.HEAD_UNITS] * 2
        kept = torch.rand(shape, generator=generator) >= _DROPCONNECT_RATE
        supervised, reconstruction = module.losses(part, kept / (1 - _DROPCONNECT_RATE))
        return (supervised + reconstruction).sum() / spec.batch

    losses = []
    for rows in torch_training.parts_of(spec):
        inputs = tensors['inputs'][:, rows].contiguous()
        part = Batch(inputs, *(tensors[name][rows] for name in names))
        # Seeded alike: one mask for all parts.
        generator = torch.Generator().manual_seed(0)
        losses.append(lambda part=part, generator=generator: loss_of(part, generator))
    trainer = torch_training.Trainer(spec, module, losses)
    holds = 'the model of longhaul, DropConnect included; truncation as exact'
    return torch_training.built(spec, module, trainer, holds=holds)
