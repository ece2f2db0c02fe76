"""The machines of a run, from flags or TF_CONFIG; checked before any worker waits for another."""

import dataclasses
import json
import os
import re
from typing import Any

from pipelines.format.errors import LonghaulError

STRATEGIES = ('one_device', 'mirrored', 'multi_worker_mirrored', 'tpu')
_EXAMPLE = '--worker_hosts=10.0.0.1:2222,10.0.0.2:2222 --task_index=0'


@dataclasses.dataclass(frozen=True)
class ClusterFlags:
    """Which devices a run is asked to use.

    Attributes:
      strategy: one of STRATEGIES; None: one device, or all GPUs of this machine.
      tpu: name or address of the TPU; 'local' on a TPU VM.
      worker_hosts: 'host:port,host:port', one entry per worker, the same on all of them.
      task_index: which of them this process is; 0 is the chief.
    """

    strategy: str | None = None
    tpu: str | None = None
    worker_hosts: str | None = None
    task_index: int | None = None


@dataclasses.dataclass(frozen=True)
class Workers:
    """All workers' addresses 'host:port', and which of them this process is; 0 is the chief."""

    hosts: tuple[str, ...]
    index: int


def find_workers(flags: ClusterFlags) -> Workers | None:
    """The workers that flags or TF_CONFIG name; None if the run has one process.

    Raises:
      LonghaulError: if the flags do not go together, naming the flag or variable.
    """
    _check(flags)
    config = os.environ.get('TF_CONFIG', '').strip()
    found = _from_environment(config) if config and config != '{}' else None
    if flags.strategy == 'multi_worker_mirrored':
        return _of_this_run(flags, found)
    if found is not None and len(found.hosts) > 1:
        raise LonghaulError(
            f'TF_CONFIG names {len(found.hosts)} workers, and each would train by itself: add '
            '--distribution_strategy=multi_worker_mirrored, or unset TF_CONFIG'
        )
    return None


def _check(flags: ClusterFlags) -> None:
    if flags.strategy not in (None, *STRATEGIES):
        raise LonghaulError(
            f'--distribution_strategy={flags.strategy}: one of {", ".join(STRATEGIES)} is '
            'needed, or no such flag for one device or all GPUs of this machine'
        )
    if flags.strategy == 'tpu' and not flags.tpu:
        raise LonghaulError(
            '--distribution_strategy=tpu: --tpu is missing; add --tpu=local on a TPU VM, or '
            '--tpu=NAME_OR_ADDRESS'
        )
    if flags.tpu and flags.strategy != 'tpu':
        raise LonghaulError(
            f'--tpu={flags.tpu} without --distribution_strategy=tpu: add it, or leave --tpu out'
        )
    for name in ('worker_hosts', 'task_index'):
        value = getattr(flags, name)
        if value is not None and flags.strategy != 'multi_worker_mirrored':
            raise LonghaulError(
                f'--{name}={value} without --distribution_strategy=multi_worker_mirrored: add '
                f'it, or leave --{name} out'
            )


def _of_this_run(flags: ClusterFlags, found: Workers | None) -> Workers:
    if found is not None:
        if flags.worker_hosts is not None or flags.task_index is not None:
            raise LonghaulError(
                'TF_CONFIG is set, and it names the workers as well: unset it, or leave '
                '--worker_hosts and --task_index out'
            )
        return found
    if flags.worker_hosts is None:
        raise LonghaulError(
            '--distribution_strategy=multi_worker_mirrored: --worker_hosts is missing; add for '
            f'example {_EXAMPLE}, or set TF_CONFIG'
        )
    hosts = _checked(flags.worker_hosts.split(','), f'--worker_hosts={flags.worker_hosts}')
    index = flags.task_index
    if index is None and len(hosts) == 1:
        index = 0
    if index is None or not 0 <= index < len(hosts):
        given = '--task_index is missing' if index is None else f'--task_index={index}'
        raise LonghaulError(
            f'{given}: --worker_hosts names {len(hosts)} workers, so a number in '
            f'0..{len(hosts) - 1} is needed, a different one for each process'
        )
    return Workers(hosts, index)


def _checked(hosts: list[str], name: str) -> tuple[str, ...]:
    for host in hosts:
        matched = re.fullmatch(r'([^\s:/]+):(\d{1,5})', str(host))
        if not matched or not 0 < int(matched[2]) < 65536:
            raise LonghaulError(
                f'{name}: {host!r} is not host:port; name every worker as in {_EXAMPLE}'
            )
    if len(set(hosts)) < len(hosts):
        raise LonghaulError(f'{name}: names an address twice; name a different one for each worker')
    return tuple(hosts)


def _from_environment(text: str) -> Workers:
    """TF_CONFIG as TensorFlow reads it: the chief, if there is one, comes before the workers."""
    try:
        config: dict[str, Any] = json.loads(text)
        jobs: dict[str, list[str]] = config['cluster']
        kind, index = config['task']['type'], int(config['task']['index'])
        groups = {name: list(jobs.get(name, [])) for name in ('chief', 'worker')}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LonghaulError(
            'TF_CONFIG is not of the form {"cluster": {"worker": ["host:port", ...]}, "task": '
            f'{{"type": "worker", "index": 0}}}} ({type(error).__name__}: {error}); correct or '
            'unset it'
        ) from error
    for name in (*jobs, kind):
        if name not in groups:
            raise LonghaulError(
                f'TF_CONFIG: {name!r} is not a known kind of task; name chief and worker only'
            )
    if not 0 <= index < len(groups[kind]):
        raise LonghaulError(
            f'TF_CONFIG: task {kind} {index}, but there are {len(groups[kind])} of that kind; '
            'count from 0'
        )
    before = len(groups['chief']) if kind == 'worker' else 0
    hosts = _checked(groups['chief'] + groups['worker'], 'TF_CONFIG')
    return Workers(hosts, before + index)
