"""torch_truncated and torch_full: our r-LSTM or plain LSTM in PyTorch; its LSTM with full BPTT."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tools.benchmark.step.implementations import Built, torch_training
from tools.benchmark.step.rows import Spec

if TYPE_CHECKING:
    import torch


load = torch_training.load
_DROPCONNECT_RATE = 0.5


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
