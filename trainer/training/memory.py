"""How much memory a training step needs, before it is taken: an estimate from shapes alone.

Counts what the forward pass keeps for the backward pass, and what the backward pass adds, in
numbers of 4 bytes. It is there to refuse what cannot fit, not to plan the last megabyte:
docs/memory.md has measured peaks beside its two bounds.
"""

import math
import os
from typing import NamedTuple

import numpy as np

from pipelines.format.records import RecordsInfo
from pipelines.format.segments import padded_steps, segment_count
from trainer.bptt.truncation import STRIDE_STEPS
from trainer.config import Config
from trainer.data.order import bucket_segments

_FLOAT = 4
# A step of an LSTM keeps its four gates, c before it and h after it, of U units each.
_LSTM_KEPT = 6
# Where each step's hidden state is wanted: its gradient, and a copy on the way to who wants it.
_OUTPUTS = 2
# What a readout says, its error, and their gradients.
_READ_OUT = 4
# Measured, per unit and step with gradient: tf_keras's GRU is differentiated by TensorFlow itself.
_GRU_KEPT = 12.5
# Copies of the attention weights beside the one that each layer keeps: 2.4 to 3 were measured.
_ATTENTION_PASSING = 3.0
# Each part of the batch, one per core, stacks and transposes the weights for its loops, and adds up
# gradients of its own: measured at 1,024 units.
_COPIES_OF_A_PART = 5
# The process before any model: TensorFlow, the readers and the optimizer's code.
BASE_BYTES = 900 << 20


# Of what is counted, so much is held at one time at the least.
_HELD_SHARE = 0.75


class Part(NamedTuple):
    """Bytes of one part of a step, and the gin binding that makes it smaller.

    Parts of different `chain` depend on nothing of each other: TensorFlow may take one's backward
    pass before the other's forward pass, or hold both.
    """

    name: str
    bytes: int
    lower: str
    chain: str = 'main'


class Estimate(NamedTuple):
    """Bytes of a training step beside `BASE_BYTES`, largest part first."""

    parts: list[Part]

    @property
    def at_most(self) -> int:
        """All parts at once."""
        return sum(part.bytes for part in self.parts)

    @property
    def at_least(self) -> int:
        """The largest chain alone."""
        chains = {part.chain for part in self.parts}
        sums = [sum(part.bytes for part in self.parts if part.chain == chain) for chain in chains]
        return int(_HELD_SHARE * max(sums))


def longest_steps(info: RecordsInfo, split: str = 'train') -> int:
    """Columns of the largest batch: T, or the longest document's bucket of whole segments."""
    if info.spec.fixed_length is not None:
        return info.spec.fixed_length
    longest = max((int(bound) for bound in info.lengths.get(split, {})), default=1)
    if info.spec.most_steps is not None:
        longest = min(longest, info.spec.most_steps)
    segments = bucket_segments(np.array([segment_count(longest, info.segment_steps)]))
    return int(padded_steps(segments[0], info.segment_steps))


class _Sizes(NamedTuple):
    """B of a replica, T, values and bytes of a stored step, and what a head says of one."""

    batch: int
    steps: int
    width: int
    stored: int
    tokens: bool
    outputs: int


def _sizes(config: Config, info: RecordsInfo, replicas: int) -> _Sizes:
    spec = info.spec
    outputs = spec.vocabulary_size or spec.channels * (config.objective.levels(spec) or 1)
    return _Sizes(
        batch=math.ceil(config.data.batch_size / replicas),
        steps=longest_steps(info),
        width=spec.channels,
        stored=spec.channels * np.dtype(spec.dtype).itemsize,
        tokens=spec.vocabulary_size is not None,
        outputs=outputs,
    )


def estimate(config: Config, info: RecordsInfo, *, replicas: int) -> Estimate:
    """What one replica's training step needs.

    Args:
      config: of the run.
      info: of its records.
      replicas: among which a global batch is divided.
    """
    sizes = _sizes(config, info, replicas)
    objective = config.objective
    whole = _input(sizes)
    sizes = sizes._replace(batch=math.ceil(sizes.batch / config.data.accumulation_steps))
    parts = [whole, _parameters(config, sizes, len(info.class_names))]
    if config.model.architecture == 'transformer':
        parts += _attention(config, sizes)
    elif config.model.architecture == 'gru':
        parts.append(_gru(config, sizes))
    else:
        parts += [_sweep(config, sizes), _supervised(config, sizes)]
    readouts = objective.readouts
    if readouts:
        parts += _readouts(config, sizes)
    if objective.reconstruction_weight and 'reconstruction' not in readouts:
        parts += _reconstruction(config, sizes)
    if objective.prediction_weight and 'prediction' not in readouts:
        parts.append(_prediction(config, sizes))
    return Estimate(sorted(parts, key=lambda part: -part.bytes))


def _input(sizes: _Sizes) -> Part:
    # Stored values: read, parsed, and two batches ahead.
    rows = sizes.batch * sizes.steps * sizes.stored
    return Part('input batches', 5 * rows, 'DataConfig.batch_size')


def _parameters(config: Config, sizes: _Sizes, classes: int) -> Part:
    """Weights, gradients and optimizer slots, and the copies that the loops work on."""
    model, objective = config.model, config.objective
    units, head, rows = model.hidden_units, model.head_units, sizes.outputs
    lstm = 4 * units * (units + model.embedding_units + 1)
    stacked, auxiliary_head = 4 * units * (2 * units + 1), head * (units + rows)
    count = rows * model.embedding_units + lstm + head * (units + head + classes)
    if objective.reconstruction_weight:
        count += lstm + stacked + auxiliary_head
    if objective.prediction_weight:
        count += stacked + auxiliary_head
    parts = len(os.sched_getaffinity(0)) if model.architecture == 'lstm' else 0
    # With averages, one more of the weights.
    copies = 5 + bool(config.optimizer.ema_decay) + _COPIES_OF_A_PART * parts
    return Part('weights and slots', copies * count * _FLOAT, 'ModelConfig.hidden_units')


def _sweep(config: Config, sizes: _Sizes) -> Part:
    """The states at the windows' starts, and the stride being read: whatever T is."""
    anchors = config.objective.anchors_per_sequence
    states = 4 * (1 + 2 * anchors) * config.model.hidden_units
    numbers = sizes.batch * (states + 3 * STRIDE_STEPS * sizes.width)
    return Part('states of the sweep', numbers * _FLOAT, 'DataConfig.batch_size')


def _lstm_step(units: int, width: int, *, tokens: bool, outputs: bool) -> int:
    """Numbers per row and step: kept for the backward pass, and added by it."""
    picked = 4 * units if tokens else 0
    return (_LSTM_KEPT + (_OUTPUTS if outputs else 0)) * units + picked + width


def _window(config: Config, sizes: _Sizes, *, steps: int, outputs: bool) -> int:
    """Numbers per row of a window of the main LSTM, or of one that reads the same inputs."""
    units, tokens = config.model.hidden_units, sizes.tokens
    return steps * _lstm_step(units, sizes.width, tokens=tokens, outputs=outputs)


def _stacked(config: Config, *, steps: int) -> int:
    """Numbers per row of an LSTM that reads another one's hidden states."""
    return steps * _lstm_step(config.model.hidden_units, 0, tokens=False, outputs=True)


def _supervised(config: Config, sizes: _Sizes) -> Part:
    steps = min(config.objective.supervised_bptt_steps, sizes.steps)
    numbers = sizes.batch * _window(config, sizes, steps=steps, outputs=False)
    return Part('supervised window', numbers * _FLOAT, 'ObjectiveConfig.supervised_bptt_steps')


def _reconstruction(config: Config, sizes: _Sizes) -> list[Part]:
    objective = config.objective
    rows = sizes.batch * objective.anchors_per_sequence
    window = min(objective.auxiliary_bptt_steps, sizes.steps)
    numbers = rows * _window(config, sizes, steps=window, outputs=False)
    steps = min(objective.auxiliary_steps, sizes.steps)
    decoder = _window(config, sizes, steps=steps, outputs=True) + _stacked(config, steps=steps)
    return [
        Part('windows before r anchors', numbers * _FLOAT, 'ObjectiveConfig.auxiliary_bptt_steps'),
        Part('decoder', rows * decoder * _FLOAT, 'ObjectiveConfig.auxiliary_steps'),
    ]


def _readouts(config: Config, sizes: _Sizes) -> list[Part]:
    """The windows, and what each readout says at all anchors: outputs, targets and errors."""
    objective = config.objective
    rows = sizes.batch * objective.anchors_per_sequence
    window = min(objective.auxiliary_bptt_steps, sizes.steps)
    numbers = rows * _window(config, sizes, steps=window, outputs=True)
    said = objective.readout_distances * sizes.outputs
    said = rows * objective.anchors_per_window * (_READ_OUT * said + 4 * config.model.readout_units)
    lower = 'ObjectiveConfig.readout_distances'
    return [
        Part('windows of readouts', numbers * _FLOAT, 'ObjectiveConfig.auxiliary_bptt_steps'),
        Part('readouts', len(objective.readouts) * said * _FLOAT, lower),
    ]


def _prediction(config: Config, sizes: _Sizes) -> Part:
    objective = config.objective
    steps = min(objective.auxiliary_steps, sizes.steps)
    if objective.auxiliary_bptt_steps >= sizes.steps:
        steps = sizes.steps
    numbers = _window(config, sizes, steps=steps, outputs=True) + _stacked(config, steps=steps)
    numbers *= sizes.batch * objective.anchors_per_sequence
    name, lower = 'prediction after p anchors', 'ObjectiveConfig.auxiliary_steps'
    return Part(name, numbers * _FLOAT, lower, chain='prediction')


def _gru(config: Config, sizes: _Sizes) -> Part:
    steps = min(config.objective.supervised_bptt_steps, sizes.steps)
    numbers = sizes.batch * steps * _GRU_KEPT * config.model.hidden_units
    return Part('supervised window', int(numbers * _FLOAT), 'ObjectiveConfig.supervised_bptt_steps')


def _attention(config: Config, sizes: _Sizes) -> list[Part]:
    """All pairs of steps: once kept for each layer, and some passing copies in one of them."""
    model, steps = config.model, sizes.steps
    pairs = sizes.batch * model.transformer_heads * steps * steps
    attention = pairs * (model.transformer_layers + _ATTENTION_PASSING)
    widths = 11 * model.embedding_units + 4 * model.transformer_inner_units
    layers = sizes.batch * model.transformer_layers * steps * widths
    return [
        Part('attention', int(attention * _FLOAT), 'DataConfig.batch_size'),
        Part('layers', layers * _FLOAT, 'DataConfig.batch_size'),
    ]


def available_bytes() -> int | None:
    """Memory that this process may still take of machine and container; None: unknown."""
    found = [_machine(), _container()]
    return min((n for n in found if n is not None), default=None)


def _machine() -> int | None:
    try:
        with open('/proc/meminfo') as file:
            lines = dict(line.split(':', 1) for line in file)
        return int(lines['MemAvailable'].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return None


def _container() -> int | None:
    folder = '/sys/fs/cgroup'
    for limit, used in (
        ('memory.max', 'memory.current'),
        ('memory/memory.limit_in_bytes', 'memory/memory.usage_in_bytes'),
    ):
        try:
            values = []
            for name in (limit, used):
                with open(os.path.join(folder, name)) as file:
                    values.append(int(file.read()))
            return max(0, values[0] - values[1])
        except (OSError, ValueError):
            continue
    return None
