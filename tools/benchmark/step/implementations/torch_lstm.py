"""PyTorch's LSTM, full BPTT."""

from typing import TYPE_CHECKING, Any

from tools.benchmark.implementations import Built, cores, torch_training
from tools.benchmark.rows import Candidate, Spec

if TYPE_CHECKING:
    import torch

LIBRARIES = torch_training.LIBRARIES
load = torch_training.load
# glibc gives large blocks back to the system at once, and every step asks for the same again.
_KEEP_MEMORY = {'MALLOC_MMAP_THRESHOLD_': '33554432', 'MALLOC_TRIM_THRESHOLD_': '10000000000'}


def candidates(spec: Spec) -> list[Candidate]:
    """Parts of the batch or threads, oneDNN or PyTorch's own LSTM, and what keeps memory at hand.

    With several threads an operation waits for all of them, spinning: whatever else runs on the
    machine then costs it several times its share. OMP_WAIT_POLICY makes it sleep instead.
    A hand-written cell under torch.compile was no faster (PyTorch 2.13, 16 steps a graph).
    """
    del spec
    parts, threads, one = _options(parts=cores()), _options(threads=cores()), _options()
    return [
        Candidate(parts, _KEEP_MEMORY),
        Candidate(threads, _KEEP_MEMORY),
        Candidate(threads, _KEEP_MEMORY | {'OMP_WAIT_POLICY': 'PASSIVE'}),
        Candidate(parts),
        Candidate(one, _KEEP_MEMORY),
        Candidate(parts | {'mkldnn': False}, _KEEP_MEMORY),
        Candidate(threads | {'mkldnn': False}, _KEEP_MEMORY),
        Candidate(threads | {'flush_denormal': False}),
    ]


def _options(*, parts: int = 1, threads: int = 1) -> dict[str, Any]:
    return {'parts': parts, 'threads': threads, 'mkldnn': True, 'flush_denormal': True}


def build(spec: Spec) -> Built:
    """The classifier and a training step."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    module = nn.ModuleDict(
        {'lstm': nn.LSTM(1, spec.units), 'classifier': torch_training.classifier(spec.units)}
    )
    batch = torch_training.tensors(spec)

    def loss_of(inputs: 'torch.Tensor', labels: 'torch.Tensor') -> 'torch.Tensor':
        _, (h, _) = module['lstm'](inputs)
        logits = module['classifier'](h[0])
        return nn.functional.cross_entropy(logits, labels, reduction='sum') / spec.batch

    losses = []
    for rows in torch_training.parts_of(spec):
        part = batch['inputs'][:, rows].contiguous(), batch['labels'][rows]
        losses.append(lambda part=part: loss_of(*part))
    trainer = torch_training.Trainer(spec, module, losses)
    holds = 'LSTM on float values, full BPTT, classifier 256-256; no embedding'
    return torch_training.built(spec, module, trainer, holds=holds)
