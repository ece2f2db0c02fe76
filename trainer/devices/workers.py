"""Several workers of one run: their number, their chief, and the exchanges between them.

All workers run the same code, so that all take part in every exchange between them, in the same
order.
"""

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError

_TEXT = 64


def count(strategy: tf.distribute.Strategy) -> int:
    """The number of processes that train together."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return 1
    jobs = strategy.cluster_resolver.cluster_spec().as_dict()
    return max(1, sum(len(jobs.get(job, [])) for job in ('chief', 'worker')))


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes and prints."""
    if count(strategy) == 1:
        return True
    resolver = strategy.cluster_resolver
    has_chief = bool(resolver.cluster_spec().as_dict().get('chief'))
    return resolver.task_type == 'chief' or (not has_chief and resolver.task_id == 0)


def gather(strategy: tf.distribute.Strategy, values: np.ndarray) -> np.ndarray:
    """Concatenates all workers' arrays, in the order of the workers; all workers must call it.

    Args:
      strategy: of the run.
      values: [N, ...], of the same shape on all workers; float32 or whole numbers.

    Returns:
      [workers * N, ...], on every worker; with one worker, its own array.
    """
    if count(strategy) == 1:
        return values
    # NCCL, which gathers on GPUs, has no short integers.
    dtype = np.float32 if values.dtype.kind == 'f' else np.int64
    found = strategy.gather(tf.constant(values.astype(dtype)), axis=0)
    return found.numpy().astype(values.dtype)


def agree(strategy: tf.distribute.Strategy, facts: dict[str, object]) -> None:
    """Makes sure that all workers were started for the same work; all workers must call it.

    Args:
      strategy: of the run.
      facts: by name, values that must be the same on all workers; the first 64 bytes of a value's
        text are compared.

    Raises:
      LonghaulError: on every worker, naming the first fact that differs.
    """
    own = np.array([str(v).encode()[:_TEXT] for v in facts.values()], f'S{_TEXT}')
    found = gather(strategy, own.view(np.int64).reshape(1, -1))
    texts = np.ascontiguousarray(found).view(f'S{_TEXT}')
    for name, column in zip(facts, texts.T, strict=True):
        for worker, text in enumerate(column):
            if text != column[0]:
                raise LonghaulError(
                    f'{name}: {column[0].decode()} on worker 0, {text.decode()} on worker '
                    f'{worker}; start all workers with the same command (except for --task_index) '
                    'on the same files'
                )
