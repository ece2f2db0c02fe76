"""What the PyTorch peers share: threads, parts of a batch, RMSprop, clipping."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from tools.benchmark.machine import cores
from tools.benchmark.step.implementations import Built, batches
from tools.benchmark.step.rows import Spec

if TYPE_CHECKING:
    import torch

    Loss = Callable[[], torch.Tensor]

HEAD_UNITS = 256


def load(spec: Spec) -> None:
    """Imports PyTorch and sets its threads.

    A part of the batch for each core is computed in a Python thread of its own (autograd holds no
    lock). With several threads an operation would wait for all of them, spinning.
    """
    del spec
    import torch

    _set_threads()
    torch.backends.mkldnn.set_flags(_enabled=True)


def _set_threads() -> None:
    """Sets threads and denormals, which are properties of the calling thread."""
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


class Trainer:
    """RMSprop with the global norm clipped at 1, on one cached batch."""

    def __init__(self, module: 'torch.nn.Module', losses: list['Loss']) -> None:
        """Prepares training.

        Args:
          module: whose parameters are trained.
          losses: one for each part of the batch; the loss is their sum.
        """
        import torch

        self._losses = losses
        self._parameters = [p for p in module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.RMSprop(self._parameters, lr=0.001, alpha=0.9, eps=1e-7)
        self._pool = ThreadPoolExecutor(len(losses), initializer=_set_threads)

    def step(self) -> float:
        """One training step; returns the loss."""
        import torch

        found = list(self._pool.map(self._gradients, self._losses))
        for parameter, *parts in zip(self._parameters, *(g for _, g in found), strict=True):
            parameter.grad = sum(parts[1:], start=parts[0])
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self._optimizer.step()
        return sum(loss for loss, _ in found)

    def _gradients(self, loss_of: 'Loss') -> tuple[float, tuple['torch.Tensor', ...]]:
        import torch

        loss = loss_of()
        return loss.item(), torch.autograd.grad(loss, self._parameters)


def classifier(units: int) -> 'torch.nn.Sequential':
    """Units -> 256 ReLU -> 256 ReLU -> classes."""
    from torch import nn

    return nn.Sequential(
        nn.Linear(units, HEAD_UNITS),
        nn.ReLU(),
        nn.Linear(HEAD_UNITS, HEAD_UNITS),
        nn.ReLU(),
        nn.Linear(HEAD_UNITS, batches.CLASSES),
    )


def tensors(spec: Spec) -> dict[str, 'torch.Tensor']:
    """The made-up batch; inputs as float values [T, B, 1], time first, all integers as int64."""
    import torch

    found = {name: torch.from_numpy(v) for name, v in batches.made_up_batch(spec).items()}
    inputs = found.pop('inputs').transpose(0, 1).contiguous().float() / 255
    return {'inputs': inputs} | {name: v.long() for name, v in found.items()}


def built(
    spec: Spec,
    module: 'torch.nn.Module',
    loss_of: 'Callable[[slice], Loss]',
    **settings: Any,
) -> Built:
    """A training step of a model.

    Args:
      spec: of the measurement.
      module: the model.
      loss_of: rows of the batch -> a function that gives their part of the loss.
      **settings: beside those of both peers.
    """
    parts = min(cores(), spec.batch)
    ends = [spec.batch * i // parts for i in range(parts + 1)]
    losses = [loss_of(slice(a, b)) for a, b in zip(ends, ends[1:], strict=False)]
    trainer = Trainer(module, losses)
    parameters = sum(p.numel() for p in module.parameters() if p.requires_grad)
    return Built(trainer.step, settings | {'parts': parts, 'parameters': parameters})
