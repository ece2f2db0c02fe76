"""r-LSTM with truncated BPTT as a careful user of PyTorch would write it: the same mathematics.

Time comes first, as PyTorch's LSTM has it. A position is a number of steps read. R windows of B
rows: window w of row b stands at w * B + b. Source: Trinh et al. 2018, sections 3 and 4.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from tools.benchmark.step.implementations import torch_training

State = tuple[torch.Tensor, torch.Tensor]


class Batch(NamedTuple):
    """Values [T, B, C], labels [B], anchors, starts [B, K]: `trainer.models.batch.Batch`."""

    inputs: torch.Tensor
    labels: torch.Tensor
    anchors: torch.Tensor
    starts: torch.Tensor


class Windows(NamedTuple):
    """Where R windows start, and in which rows: both int64 [R]."""

    starts: torch.Tensor
    rows: torch.Tensor


class TruncatedLSTM(nn.Module):
    """Embedding, main LSTM, classifier and, for the r-LSTM, the reconstructing decoder."""

    def __init__(
        self,
        *,
        units: int,
        bptt_steps: int,
        auxiliary_steps: int,
        reconstructs: bool,
    ) -> None:
        """Makes all parameters.

        Args:
          units: of embedding and LSTMs.
          bptt_steps: S, the truncation; no more than auxiliary_steps where it reconstructs.
          auxiliary_steps: L.
          reconstructs: False: the plain truncated LSTM.
        """
        super().__init__()
        if reconstructs and bptt_steps > auxiliary_steps:
            raise ValueError(
                f'bptt_steps={bptt_steps}: torch_truncated needs no more than '
                f'auxiliary_steps={auxiliary_steps}'
            )
        self.bptt_steps, self.auxiliary_steps = bptt_steps, auxiliary_steps
        self.embedding = nn.Linear(1, units, bias=False)
        self.main = nn.LSTM(units, units)
        self.classifier = torch_training.classifier(units)
        self.reconstructs = reconstructs
        if reconstructs:
            self.decoder = nn.LSTM(units, units, num_layers=2)
            self.head = nn.Sequential(
                nn.Linear(units, torch_training.HEAD_UNITS),
                nn.ReLU(),
                nn.Linear(torch_training.HEAD_UNITS, 1),
            )
        with torch.no_grad():
            for name, parameter in self.named_parameters():
                if 'bias_hh' in name:
                    # PyTorch has two biases where one says it all.
                    parameter.zero_().requires_grad_(False)
                elif 'bias_ih' in name:
                    parameter.zero_()[units : 2 * units] = 1

    def losses(
        self, batch: Batch, dropconnect: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Supervised and reconstruction loss of each row, [B]; gradients are cut exactly.

        Args:
          batch: of B sequences.
          dropconnect: multiplies the classifier's square kernel; None leaves it.
        """
        total, rows = batch.inputs.shape[:2]
        steps = min(self.bptt_steps, total)
        starts = [torch.full([rows, 1], total - steps)]
        if self.reconstructs:
            starts.append(batch.anchors - steps)
        windows = _windows(torch.cat(starts, dim=1))
        state = self._states_at(batch.inputs, windows)
        _, (h, c) = self._read(self.main, _columns(batch.inputs, windows, steps), state)
        logits = self._classify(h[0, :rows], dropconnect)
        supervised = functional.cross_entropy(logits, batch.labels, reduction='none')
        if not self.reconstructs:
            return supervised, torch.zeros_like(supervised)
        return supervised, self._reconstruct(batch, (h[:, rows:], c[:, rows:]))

    def _read(self, lstm: nn.LSTM, inputs: torch.Tensor, state: State) -> tuple:
        """Values [n, R, C] from a state [layers, R, U]: outputs [n, R, U] and the last state.

        The embedding is multiplied into the input kernel first.
        """
        (first, *others), *layers = lstm.all_weights
        weights = [first @ self.embedding.weight, *others, *(w for layer in layers for w in layer)]
        training = torch.is_grad_enabled()
        outputs, *last = torch.lstm(
            inputs, state, weights, True, lstm.num_layers, 0.0, training, False, False
        )
        return outputs, tuple(last)

    @torch.no_grad()
    def _states_at(self, inputs: torch.Tensor, windows: Windows) -> State:
        """The exact states [1, R, U] at the windows' starts: reads from one start to the next."""
        zeros = inputs.new_zeros(1, inputs.shape[1], self.main.hidden_size)
        state, position = (zeros, zeros), 0
        kept = [inputs.new_zeros(1, len(windows.rows), self.main.hidden_size) for _ in state]
        for start in windows.starts.unique().tolist():
            while position < start:
                # No more at once: the outputs of all steps are made, and nobody needs them.
                end = min(start, position + self.bptt_steps)
                _, state = self._read(self.main, inputs[position:end], state)
                position = end
            here = (windows.starts == start).nonzero()[:, 0]
            for target, source in zip(kept, state, strict=True):
                target[:, here] = source[:, windows.rows[here]]
        return kept[0], kept[1]

    def _classify(self, h: torch.Tensor, dropconnect: torch.Tensor | None) -> torch.Tensor:
        if dropconnect is None:
            return self.classifier(h)
        first, relu, second, _, last = self.classifier
        kernel = second.weight * dropconnect
        return last(relu(functional.linear(relu(first(h)), kernel, second.bias)))

    def _reconstruct(self, batch: Batch, state: State) -> torch.Tensor:
        """Mean squared error over L - 1 steps and the anchors of each row, [B]."""
        columns = _columns(batch.inputs, _windows(batch.starts), self.auxiliary_steps)
        state = tuple(torch.cat([s, torch.zeros_like(s)]) for s in state)
        hidden, _ = self._read(self.decoder, columns[:-1], state)
        errors = (self.head(hidden) - columns[1:]).square().mean(dim=(0, 2))
        return errors.reshape(batch.anchors.shape[::-1]).mean(dim=0)


def _windows(starts: torch.Tensor) -> Windows:
    """Starts [B, W] -> R = W * B windows."""
    rows, windows = starts.shape
    return Windows(starts.T.reshape(-1), torch.arange(rows).repeat(windows))


def _columns(inputs: torch.Tensor, windows: Windows, steps: int) -> torch.Tensor:
    """Values [T, B, C] -> [steps, R, C]."""
    return inputs[windows.starts + torch.arange(steps)[:, None], windows.rows]
