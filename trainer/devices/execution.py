"""How a replica computes: which path reads its sequences, on which threads, in how many parts.

The products of a step are small. Two cores are therefore faster on two halves of a batch than
together on one product after another. So on CPUs each operation has one thread, and the batch is
split into as many parts as there are cores.
"""

import dataclasses
import os
import re

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.config import Config
from trainer.devices import quiet

# XLA's newer runtime for CPUs hands each small kernel to a pool of threads, which costs more than
# the kernel: measured in docs/performance.md. The disabled pass fails ("could not find evaluated
# value") on loops whose results are multiplied, and makes nothing faster.
XLA_FLAGS = (
    '--xla_cpu_use_thunk_runtime=false',
    '--xla_disable_hlo_passes=onednn-contraction-rewriter',
)
# No environment variable silences these lines: they come before TensorFlow sets up its logging.
_GREETING = re.compile(r'I\d{4} |WARNING: All log messages before absl::InitializeLog')


@dataclasses.dataclass(frozen=True)
class Execution:
    """How a replica computes a step.

    `path`: 'scan' (loops of TensorFlow), 'compiled_scan' (the same loops through XLA) or 'cudnn'.
    `parts`: independent parts of its batch. `compiles`: whether the step sets `jit_compile`, which
    is not allowed under a TPU strategy. `reason`: why this path was chosen, for the log.
    """

    path: str = 'scan'
    parts: int = 1
    compiles: bool = False
    reason: str = ''

    def __str__(self) -> str:
        parts = '' if self.parts == 1 else f'; the batch in {self.parts} parts, one thread each'
        return f'path {self.path}: {self.reason}{parts}'


# Whole batches by TensorFlow's own loops, on the threads that the process has.
SCAN = Execution()


def prepare(config: Config, *, tpu: bool) -> Execution:
    """Chooses the execution, and sets TensorFlow's threads and XLA's flags.

    Call it before TensorFlow computes anything.

    Args:
      config: of the run; `RunConfig.path` decides, 'auto' leaves it to the devices.
      tpu: whether the run is on a TPU.

    Raises:
      LonghaulError: if the path that the configuration names needs another device.
    """
    gpu = bool(tf.config.list_physical_devices('GPU'))
    found = choose(config, tpu=tpu, gpu=gpu, cores=len(os.sched_getaffinity(0)))
    if tpu or gpu:
        return found
    if not _set_threads(found.parts) and found.compiles:
        reason = 'TensorFlow computed in this process before its threads could be set'
        return dataclasses.replace(found, path='scan', compiles=False, reason=reason)
    if found.compiles:
        _set_xla_flags()
    return found


def choose(config: Config, *, tpu: bool, gpu: bool, cores: int) -> Execution:
    """The execution for these devices, see `prepare`."""
    wanted, parts = config.run.path, 1 if tpu or gpu else cores
    if wanted == 'cudnn' and not gpu:
        raise LonghaulError(
            "RunConfig.path='cudnn': TensorFlow sees no GPU; set RunConfig.path='auto', or install "
            'a TensorFlow and a driver for the GPU'
        )
    mixed = config.run.precision != 'float32'
    if mixed and wanted == 'cudnn':
        raise LonghaulError(
            f'RunConfig.precision={config.run.precision!r}: cuDNN does not multiply in bfloat16 '
            "beside float32 states; set RunConfig.path='auto', or RunConfig.precision='float32'"
        )
    if config.model.architecture != 'lstm':
        return Execution('scan', parts, reason=f'architecture {config.model.architecture}')
    if wanted != 'auto':
        compiles = wanted == 'compiled_scan' and not tpu
        return Execution(wanted, parts, compiles, 'RunConfig.path names it')
    if tpu:
        return Execution('compiled_scan', parts, reason='the TPU compiles the whole step')
    if gpu and mixed:
        return Execution('compiled_scan', parts, compiles=True, reason='a GPU, bfloat16')
    if gpu:
        return Execution('cudnn', parts, reason='a GPU: one call per sequence')
    return Execution('compiled_scan', parts, compiles=True, reason='a CPU')


def _set_threads(cores: int) -> bool:
    """Sets one thread per operation; returns whether TensorFlow still allowed it.

    XLA's older runtime supports no more than one thread in an operation.
    """
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        return False
    return True


def _set_xla_flags() -> None:
    """Adds our flags to what the user has set; a flag that the user names stays as it is."""
    have = os.environ.get('XLA_FLAGS', '').split()
    names = {flag.partition('=')[0] for flag in have}
    ours = [flag for flag in XLA_FLAGS if flag.partition('=')[0] not in names]
    os.environ['XLA_FLAGS'] = ' '.join([*have, *ours])


def start_compiler(how: Execution) -> None:
    """Starts XLA, and keeps its start-up messages out of the terminal.

    Call it after the strategy is made, since TensorFlow computes here. All other lines that are
    written to stderr meanwhile are shown.

    Args:
      how: from `prepare`.
    """
    if not how.compiles:
        return
    with quiet.without(_GREETING):
        tf.function(lambda x: x + 1, jit_compile=True)(tf.zeros([]))
