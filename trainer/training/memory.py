"""A lower bound of the memory that a training step needs, from shapes alone.

It counts the numbers, of 4 bytes each, that the forward pass must keep for the backward pass. It
serves to refuse a run that cannot fit, and to name the setting to lower. docs/memory.md has
measured peaks.
"""

import contextlib
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from pipelines.format.segments import padded_steps, segment_count
from trainer.config import Config
from trainer.data.order import bucket_segments
from trainer.models.architectures import make_model

# Of both versions: limit, what is used, and the name of the used part that can be given back.
_CGROUPS = (
    ('memory.max', 'memory.current', 'memory.stat', 'inactive_file'),
    (
        'memory/memory.limit_in_bytes',
        'memory/memory.usage_in_bytes',
        'memory/memory.stat',
        'total_inactive_file',
    ),
)
_FLOAT = 4
_WIDTHS = (
    'hidden_units',
    'embedding_units',
    'head_units',
    'readout_units',
    'transformer_inner_units',
)
# A step of an LSTM keeps its four gates, c before it and h after it, of U units each.
_LSTM_KEPT = 6
# Weights, their gradients, the sum of the gradients and a slot of the optimizer.
_COPIES = 4
# A readout's outputs and their errors.
_READ_OUT = 2
# The process before any model: TensorFlow, the readers and the optimizer's code.
BASE_BYTES = 900 << 20


class Part(NamedTuple):
    """Bytes that one part of a step keeps, and the gin binding that makes it smaller."""

    name: str
    bytes: int
    lower: str


def longest_steps(info: RecordsInfo, split: str = 'train') -> int:
    """Columns of the largest batch: T, or the longest document's bucket of whole segments."""
    if info.spec.fixed_length is not None:
        return info.spec.fixed_length
    longest = max((int(bound) for bound in info.lengths.get(split, {})), default=1)
    if info.spec.most_steps is not None:
        longest = min(longest, info.spec.most_steps)
    segments = bucket_segments(np.array([segment_count(longest, info.segment_steps)]))
    return int(padded_steps(segments[0], info.segment_steps))


def estimate(config: Config, info: RecordsInfo, *, replicas: int) -> list[Part]:
    """What one replica's training step keeps at least, beside `BASE_BYTES`; largest part first.

    Of the auxiliary LSTM of `prediction` and all other losses, the larger is counted: the backward
    pass of one may come before the forward pass of the other.

    Args:
      config: of the run.
      info: of its records.
      replicas: among which a global batch is divided.
    """
    batch, steps = math.ceil(config.data.batch_size / replicas), longest_steps(info)
    stored = batch * steps * info.spec.channels * np.dtype(info.spec.dtype).itemsize
    rows = math.ceil(batch / config.data.accumulation_steps)
    parts = [
        # The batch at hand, and two ahead.
        Part('input batches', 3 * stored, 'DataConfig.batch_size'),
        weights(config, info),
    ]
    if config.model.architecture == 'transformer':
        parts.append(_attention(config, rows, steps))
    else:
        both = _losses(config, info, rows, steps), _prediction(config, rows, steps)
        parts += max(both, key=lambda kept: sum(part.bytes for part in kept))
    return sorted(parts, key=lambda part: -part.bytes)


def weights(config: Config, info: RecordsInfo, *, copies: int | None = None) -> Part:
    """The weights, and by default all that a training step keeps for each of them.

    Args:
      config: of the run.
      info: of its records.
      copies: numbers per weight; None: those of a training step.

    Raises:
      LonghaulError: for a Transformer so wide that not even one weight fits.
    """
    copies = _COPIES + bool(config.optimizer.ema_decay) if copies is None else copies
    sizes = {name: getattr(config.model, name) for name in _WIDTHS}
    widest = max(sizes, key=lambda name: sizes[name])
    try:
        count = _parameters(config, info)
    except tf.errors.ResourceExhaustedError as error:
        # Some of Model Garden's layers compute their values at once.
        raise LonghaulError(
            f'ModelConfig.{widest}={sizes[widest]}: the model does not fit into memory; lower it'
        ) from error
    return Part('weights and slots', copies * count * _FLOAT, f'ModelConfig.{widest}')


class _CountedError(Exception):
    """Ends a trace: what was asked for is known."""


def _parameters(config: Config, info: RecordsInfo) -> int:
    """The trainable parameters of the run's model, of which no number is computed."""
    found = []

    @tf.function(autograph=False)
    def trace() -> None:
        # Variables of a traced function have no values before it has been called.
        model = make_model(config, info.spec, classes=len(info.class_names))
        found.append(sum(v.shape.num_elements() for v in model.trainable_variables))
        raise _CountedError

    with contextlib.suppress(_CountedError):
        trace()
    return found[0]


def _losses(config: Config, info: RecordsInfo, rows: int, steps: int) -> list[Part]:
    """The windows that are read with gradient, and the auxiliary parts that use their states."""
    objective, model = config.objective, config.model
    kept = _LSTM_KEPT * model.hidden_units * _FLOAT
    window = min(objective.supervised_bptt_steps, steps)
    parts = [
        Part('supervised window', rows * window * kept, 'ObjectiveConfig.supervised_bptt_steps')
    ]
    rows *= objective.anchors_per_sequence
    window = min(objective.auxiliary_bptt_steps, steps)
    if objective.reconstruction_weight or objective.readouts or objective.replicated:
        windows = rows * window * kept
        parts.append(Part('auxiliary windows', windows, 'ObjectiveConfig.auxiliary_bptt_steps'))
    if objective.readouts:
        outputs = info.spec.vocabulary_size or info.spec.channels * (
            objective.levels(info.spec) or 1
        )
        said = objective.readout_distances * outputs * _READ_OUT
        said *= rows * objective.anchors_per_window * _FLOAT
        parts.append(Part('readouts', said, 'ObjectiveConfig.readout_distances'))
    if objective.reconstruction_weight and 'reconstruction' not in objective.readouts:
        decoder = 2 * rows * min(objective.auxiliary_steps, steps) * kept
        parts.append(Part('decoder', decoder, 'ObjectiveConfig.auxiliary_steps'))
    return parts


def _prediction(config: Config, rows: int, steps: int) -> list[Part]:
    """What the main LSTM and the auxiliary one keep of the steps after the p anchors."""
    objective, model = config.objective, config.model
    if not objective.prediction_weight or 'prediction' in objective.readouts:
        return []
    window = min(objective.auxiliary_steps, steps)
    kept = 2 * _LSTM_KEPT * model.hidden_units * _FLOAT
    found = rows * objective.anchors_per_sequence * window * kept
    return [Part('prediction after p anchors', found, 'ObjectiveConfig.auxiliary_steps')]


def _attention(config: Config, rows: int, steps: int) -> Part:
    """The attention weights of all pairs of steps, which each layer keeps."""
    model = config.model
    pairs = rows * model.transformer_heads * steps * steps
    return Part('attention', model.transformer_layers * pairs * _FLOAT, 'DataConfig.batch_size')


def available_bytes(*, cgroup: str = '/sys/fs/cgroup') -> int | None:
    """Memory that machine and container still leave to this process; None: unknown.

    Args:
      cgroup: the folder in which the kernel shows the container's limits.
    """
    found = [_machine(), _container(cgroup)]
    return min((n for n in found if n is not None), default=None)


def _machine() -> int | None:
    try:
        with open('/proc/meminfo') as file:
            lines = dict(line.split(':', 1) for line in file)
        return int(lines['MemAvailable'].split()[0]) << 10
    except (OSError, KeyError, ValueError):
        return None


def _container(cgroup: str) -> int | None:
    for limit, used, counts, cache in _CGROUPS:
        try:
            most, taken, text = (
                Path(cgroup, name).read_text().strip() for name in (limit, used, counts)
            )
            counted = dict(line.split(maxsplit=1) for line in text.splitlines())
            # The kernel gives the cache of files back before it refuses memory.
            return max(0, int(most) - int(taken) + int(counted.get(cache, 0)))
        except (OSError, ValueError):
            continue
    return None
