"""`--dry_run` describes what a command would do; what cannot fit into memory is refused."""

import dataclasses
import math

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from trainer.config import Config
from trainer.run_dir.folder import GIN_FILE
from trainer.training import memory
from trainer.training.memory import BASE_BYTES, Part

_SLOTS = {'rmsprop': 1, 'adam': 2, 'adamw': 2}


def size(count: float) -> str:
    """Bytes as text, such as '1.5 GB'."""
    return f'{count / 1e9:.1f} GB' if count >= 1e8 else f'{count / 1e6:.1f} MB'


def check_model(config: Config, info: RecordsInfo, *, here: int) -> None:
    """Refuses, before anything is built, a model whose weights alone do not fit into memory.

    Args:
      config: of the run.
      info: of its records.
      here: how many replicas share this machine's memory.

    Raises:
      LonghaulError: with the estimate, and the gin value to lower.
    """
    copies = 2 if config.optimizer.ema_decay else 1
    _refuse_beyond_memory([memory.weights(config, info, copies=copies)], config, 'the model', here)


def check_memory(
    config: Config,
    info: RecordsInfo,
    *,
    replicas: int,
    here: int,
) -> None:
    """Refuses, before the first step, a run that cannot fit into this machine's memory.

    Args:
      config: of the run.
      info: of its records.
      replicas: among which a global batch is divided.
      here: how many of the replicas share this machine's memory.

    Raises:
      LonghaulError: with the estimate, and the gin value to lower.
    """
    parts = memory.estimate(config, info, replicas=replicas)
    _refuse_beyond_memory(parts, config, 'a training step', here)


def _refuse_beyond_memory(parts: list[Part], config: Config, what: str, here: int) -> None:
    """Refuses what needs more than is free; an accelerator's memory is not known beforehand."""
    if any(tf.config.list_logical_devices(kind) for kind in ('GPU', 'TPU')):
        return
    free, needed = memory.available_bytes(), sum(part.bytes for part in parts) * here
    if free is None or needed <= free:
        return
    largest = ', '.join(f'{part.name} {size(part.bytes)}' for part in parts[:3])
    # Without the weights, what is left is for the batch.
    fixed = sum(part.bytes for part in parts if part.lower.startswith('ModelConfig.')) * here
    fitting = _fitting_batch(config, needed=needed - fixed, free=free - fixed)
    raise LonghaulError(
        f'{what} needs at least {size(needed)} of memory ({largest}), and {size(free)} are free: '
        f'{_way_out(config, parts[0], fitting)}'
    )


def _fitting_batch(config: Config, *, needed: int, free: int) -> int:
    """A batch that is likely to fit: half of what the estimate, a lower bound, allows."""
    return int(config.data.batch_size * free / needed / 2) if needed > 0 else 0


def _way_out(config: Config, largest: Part, fitting: int) -> str:
    """Which values to lower."""
    section, name = largest.lower.split('.')
    sections = {type(s).__name__: s for s in vars(config).values()}
    lower = f'{largest.lower}={getattr(sections[section], name)}'
    if fitting >= 1 and largest.lower != 'DataConfig.batch_size':
        return f'lower {lower}, or {_smaller_batch(config, fitting)}'
    if fitting >= 1:
        return f'lower it with {_smaller_batch(config, fitting)}'
    return f'lower {lower}; no batch is small enough'


def _smaller_batch(config: Config, fitting: int) -> str:
    said = f'--gin_param="DataConfig.batch_size={fitting}"'
    size, steps = config.data.batch_size, config.data.accumulation_steps
    smaller = (n for n in range(2, size + 1) if size % n == 0 and size * steps <= fitting * n)
    parts = next(smaller, None)
    if parts is None or parts <= steps:
        return said
    return f'{said}, or compute the batch in parts: DataConfig.accumulation_steps={parts}'


def describe(
    config: Config,
    info: RecordsInfo,
    *,
    model_dir: str,
    variables: list[tf.Variable],
    replicas: int,
    steps_per_epoch: int,
) -> str:
    """What a training command would do.

    Args:
      config: resolved.
      info: of the records.
      model_dir: of the run.
      variables: of the model.
      replicas: of the strategy.
      steps_per_epoch: of the training split.

    Returns:
      Text for the terminal.
    """
    sections = [
        ('Configuration', _configuration(config)),
        ('Data', _data(config, info, steps_per_epoch)),
        ('Model', _model(variables)),
        ('Memory', _memory(config, info, replicas)),
        ('Would write', _files(config, model_dir, variables)),
    ]
    return '\n\n'.join(f'{title}\n' + '\n'.join(f'  {x}' for x in xs) for title, xs in sections)


def _configuration(config: Config) -> list[str]:
    return [
        f'{type(section).__name__}.{field.name} = {getattr(section, field.name)!r}'
        for section in vars(config).values()
        for field in dataclasses.fields(section)
    ]


def _data(config: Config, info: RecordsInfo, steps_per_epoch: int) -> list[str]:
    spec, run = info.spec, config.run
    length = f'{spec.fixed_length} steps' if spec.fixed_length else 'of different length'
    if spec.kind == 'signal':
        length = f'{spec.channels} x {spec.dtype} a step, {length}'
    phases = f'{run.pretrain_steps} auxiliary + {run.train_steps} joint'
    return [
        f'{config.data.records}: {spec.kind}, {length}, {len(info.class_names)} classes',
        ', '.join(f'{split} {count:,}' for split, count in info.counts['splits'].items()),
        f'{steps_per_epoch} steps per epoch of {config.data.batch_size} examples each',
        f'{run.total_steps} steps ({phases}): {run.total_steps / steps_per_epoch:.1f} epochs',
    ]


def _model(variables: list[tf.Variable]) -> list[str]:
    by_part: dict[str, int] = {}
    for variable in variables:
        part = variable.name.partition('/')[0].removesuffix(':0')
        by_part[part] = by_part.get(part, 0) + math.prod(variable.shape)
    lines = [f'{part:<16}{count:>12,}' for part, count in by_part.items()]
    return [*lines, f'{"parameters":<16}{sum(by_part.values()):>12,}']


def _memory(config: Config, info: RecordsInfo, replicas: int) -> list[str]:
    parts = memory.estimate(config, info, replicas=replicas)
    lines = [f'{part.name:<28}{size(part.bytes):>10}' for part in parts]
    least = sum(part.bytes for part in parts) + BASE_BYTES
    lines.append(
        f'a replica: at least {size(least)}, with {size(BASE_BYTES)} for TensorFlow itself'
    )
    free = memory.available_bytes()
    lines.append('free here: ' + ('not known' if free is None else size(free)))
    return lines


def _files(config: Config, model_dir: str, variables: list[tf.Variable]) -> list[str]:
    weights = sum(math.prod(v.shape) * v.dtype.size for v in variables)
    averages = bool(config.optimizer.ema_decay)
    checkpoint = weights * (1 + averages + _SLOTS[config.optimizer.name])
    keep = config.run.keep_checkpoints
    lines = [
        f'{model_dir}',
        f'checkpoints/   {keep} of {size(checkpoint)}, one every {config.run.checkpoint_interval}'
        ' steps',
        f'best/          the best on validation, {size(weights)}',
    ]
    if config.run.pretrain_steps:
        lines.append(f"pretrained/    the auxiliary phase's weights, {size(weights)}")
    return [
        *lines,
        'train/, validation/   TensorBoard',
        f'{GIN_FILE}, command.json, config.json, data.json, validations.jsonl, skipped.jsonl,',
        'result.json, report.html, evaluation-*.json, predictions-*.jsonl',
    ]
