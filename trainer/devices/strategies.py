"""The devices of a run: makes a strategy of Model Garden by its name."""

import contextlib
import signal
import threading
from collections.abc import Iterator

import tensorflow as tf
from official.common import distribute_utils

from pipelines.format.errors import LonghaulError, first_line
from trainer.devices import cluster, rendezvous
from trainer.devices.cluster import ClusterFlags, Workers

_TPU_SECONDS = 60.0


def make_strategy(flags: ClusterFlags) -> tf.distribute.Strategy:
    """Makes a strategy of Model Garden; waits until all other workers, if any, are reached.

    Raises:
      LonghaulError: if devices, workers or the TPU are missing or cannot be reached.
    """
    workers = cluster.find_workers(flags)
    gpus = len(tf.config.list_physical_devices('GPU'))
    if flags.strategy == 'tpu':
        return _tpu_strategy(flags.tpu or '')
    if workers is not None:
        return _multi_worker_strategy(workers, flags, gpus)
    name = flags.strategy or ('mirrored' if gpus > 1 else 'one_device')
    try:
        return distribute_utils.get_distribution_strategy(name, num_gpus=gpus)
    except ValueError as error:
        raise LonghaulError(
            f'--distribution_strategy={name}: {error} There are {gpus} GPUs: name mirrored, or '
            'hide some with CUDA_VISIBLE_DEVICES'
        ) from error


def _multi_worker_strategy(
    workers: Workers, flags: ClusterFlags, gpus: int
) -> tf.distribute.Strategy:
    rendezvous.meet(workers)
    if flags.worker_hosts is not None:
        distribute_utils.configure_cluster(flags.worker_hosts, workers.index)
    try:
        with _sigterm_kept():
            return distribute_utils.get_distribution_strategy(
                'multi_worker_mirrored', num_gpus=gpus
            )
    except (tf.errors.OpError, RuntimeError, ValueError) as error:
        raise LonghaulError(
            f'worker {workers.index} of {",".join(workers.hosts)}: cannot join the others '
            f'({_reason(error)}); start all of them again, each with its own --task_index'
        ) from error


@contextlib.contextmanager
def _sigterm_kept() -> Iterator[None]:
    """Restores the SIGTERM handler: TensorFlow's workers install one that keeps them alive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _tpu_strategy(address: str) -> tf.distribute.Strategy:
    """A TPU compiles by itself: no function may set `jit_compile` under this strategy."""
    try:
        _check_tpu(address)
        return distribute_utils.get_distribution_strategy('tpu', tpu_address=address)
    except LonghaulError:
        raise
    except Exception as error:  # The network, Google's clients and TensorFlow raise many types.
        raise LonghaulError(
            f'--tpu={address}: no TPU there ({_reason(error)}); --tpu=local needs a TPU VM '
            'with a TensorFlow built for TPUs, a name needs a project, a zone and credentials of '
            'Google Cloud'
        ) from error


def _check_tpu(address: str) -> None:
    """Refuses an address at which no process listens: TensorFlow would wait without end."""
    if address == 'local':
        return
    master = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address).master()
    host = master.removeprefix('grpc://').split(',')[0]
    if not rendezvous.reachable(host, timeout=_TPU_SECONDS):
        raise LonghaulError(
            f'--tpu={address}: no answer from {host} within {_TPU_SECONDS:.0f} s; check that the '
            'TPU is up and in the same network'
        )


def _reason(error: Exception) -> str:
    return f'{type(error).__name__}: {first_line(error)}'
