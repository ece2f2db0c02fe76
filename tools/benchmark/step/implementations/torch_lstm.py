"""torch_truncated and torch_full: our r-LSTM or plain LSTM in PyTorch; its LSTM with full BPTT."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tools.benchmark.machine import cores
from tools.benchmark.step.implementations import Built, torch_training
from tools.benchmark.step.rows import Candidate, Spec

if TYPE_CHECKING:
    import torch


load = torch_training.load
_DROPCONNECT_RATE = 0.5
# glibc gives large blocks back to the system at once, and every step asks for the same again.
_KEEP_MEMORY = {'MALLOC_MMAP_THRESHOLD_': '33554432', 'MALLOC_TRIM_THRESHOLD_': '10000000000'}


def candidates(spec: Spec) -> list[Candidate]:
    """Parts of the batch or threads, oneDNN or PyTorch's own LSTM, and what keeps memory at hand.

    With several threads an operation waits for all of them, spinning: whatever else runs on the
    machine then costs it several times its share. OMP_WAIT_POLICY makes it sleep instead.
    A hand-written cell under torch.compile was no faster (PyTorch 2.13, 16 steps a graph).
    torch_truncated folds the embedding into the input kernel; its last candidate does not.
    """
    parts, threads, one = _options(parts=cores()), _options(threads=cores()), _options()
    found = [
        Candidate(parts, _KEEP_MEMORY),
        Candidate(threads, _KEEP_MEMORY),
        Candidate(threads, _KEEP_MEMORY | {'OMP_WAIT_POLICY': 'PASSIVE'}),
        Candidate(parts),
        Candidate(one, _KEEP_MEMORY),
        Candidate(parts | {'mkldnn': False}, _KEEP_MEMORY),
        Candidate(threads | {'mkldnn': False}, _KEEP_MEMORY),
        Candidate(threads | {'flush_denormal': False}),
    ]
    if spec.implementation == 'torch_full':
        return found
    folded = [Candidate(c.options | {'folded': True}, c.environment) for c in found]
    return [*folded, Candidate(found[0].options | {'folded': False}, found[0].environment)]


def _options(*, parts: int = 1, threads: int = 1) -> dict[str, Any]:
    return {'parts': parts, 'threads': threads, 'mkldnn': True, 'flush_denormal': True}


def build(spec: Spec) -> Built:
    """The model and a training step."""
    import torch

    torch.manual_seed(0)
    return _full(spec) if spec.implementation == 'torch_full' else _truncated(spec)


def _full(spec: Spec) -> Built:
    from torch import nn

    module = nn.ModuleDict(
        {'lstm': nn.LSTM(1, spec.units), 'classifier': torch_training.classifier(spec.units)}
    )
    batch = torch_training.tensors(spec)

    def loss_of(rows: slice) -> 'Callable[[], torch.Tensor]':
        """The loss of some rows, whenever it is called."""
        inputs, labels = batch['inputs'][:, rows].contiguous(), batch['labels'][rows]

        def loss() -> 'torch.Tensor':
            _, (h, _) = module['lstm'](inputs)
            logits = module['classifier'](h[0])
            return nn.functional.cross_entropy(logits, labels, reduction='sum') / spec.batch

        return loss

    holds = 'LSTM on float values, full BPTT, classifier 256-256; no embedding'
    return torch_training.built(spec, module, loss_of, holds=holds)


def _truncated(spec: Spec) -> Built:
    import torch

    from tools.benchmark.step.implementations.torch_r_lstm import Batch, TruncatedLSTM

    module = TruncatedLSTM(
        units=spec.units,
        bptt_steps=spec.bptt_steps,
        auxiliary_steps=spec.auxiliary_steps,
        reconstructs=spec.model == 'r',
        folded=spec.candidate.options['folded'],
    )
    tensors = torch_training.tensors(spec)

    def loss_of(rows: slice) -> 'Callable[[], torch.Tensor]':
        """The loss of some rows, whenever it is called."""
        inputs = tensors['inputs'][:, rows].contiguous()
        names = ('labels', 'r_anchors', 'r_starts')
        part = Batch(inputs, *(tensors[name][rows] for name in names))
        # Seeded alike: one mask for all parts.
        generator = torch.Generator().manual_seed(0)

        def loss() -> 'torch.Tensor':
            shape = [torch_training.HEAD_UNITS] * 2
            kept = torch.rand(shape, generator=generator) >= _DROPCONNECT_RATE
            supervised, reconstruction = module.losses(part, kept / (1 - _DROPCONNECT_RATE))
            return (supervised + reconstruction).sum() / spec.batch

        return loss

    holds = 'the model of longhaul, DropConnect included; truncation as exact'
    return torch_training.built(spec, module, loss_of, holds=holds)
