"""Several workers of one run: the chief alone writes, all agree, predictions come together.

All workers run the same code, so that all take part in every exchange between them, in the same
order. Only their folders differ: the chief has the run's model_dir, every other worker a temporary
copy of it, which it reads and writes as if it were the run's own, and which is removed in the end.
"""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.model_dir import ModelDir, write_atomically

_TEXT = 64
_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


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
    """Concatenates all workers' arrays, in the order of the workers; all take part.

    Args:
      strategy: of the run.
      values: [N, ...], of the same shape on all workers; float32 or whole numbers.

    Returns:
      [workers * N, ...], on every worker; of one worker: its own.
    """
    if count(strategy) == 1:
        return values
    # NCCL, where it does this, knows no short integers.
    dtype = np.float32 if values.dtype.kind == 'f' else np.int64
    found = strategy.gather(tf.constant(values.astype(dtype)), axis=0)
    return found.numpy().astype(values.dtype)


def agree(strategy: tf.distribute.Strategy, facts: dict[str, object]) -> None:
    """Makes sure that all workers were started for the same work; all take part.

    Args:
      strategy: of the run.
      facts: by name, what must be the same everywhere; told apart by their first letters.

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
                    f'{worker}; start all workers with the same command, but for --task_index, on '
                    'the same files'
                )


@contextlib.contextmanager
def joined(strategy: tf.distribute.Strategy, model_dir: str, *, create: bool) -> Iterator[str]:
    """The folder in which this worker works; all enter and leave together.

    Args:
      strategy: of the run.
      model_dir: of the run, one folder that all workers see.
      create: whether to make it if need be.

    Yields:
      `model_dir` on the chief, a temporary copy of what a run reads of it on the others.

    Raises:
      LonghaulError: if the workers do not share `model_dir`, or if one of them is lost later.
    """
    if count(strategy) == 1:
        yield model_dir
        return
    try:
        with _folder(strategy, model_dir, create=create) as folder:
            yield folder
            # Nobody leaves while another worker may still need it.
            gather(strategy, np.zeros([1], np.int64))
    except _LOST as error:
        raise LonghaulError(
            'another worker has stopped, its own output says why; start all workers again with '
            'the same command: they go on from the last checkpoint, if there is one'
        ) from error


@contextlib.contextmanager
def _folder(strategy: tf.distribute.Strategy, model_dir: str, *, create: bool) -> Iterator[str]:
    shared, chief = ModelDir(model_dir), is_chief(strategy)
    folder = model_dir if chief else tempfile.mkdtemp(prefix='longhaul-worker-')
    try:
        with _token(strategy, shared, create=create) as token:
            seen = token is None or tf.io.gfile.exists(shared / token)
            if not chief:
                shared.copy_state(folder)
            # The chief changes nothing before everybody has read it.
            views = gather(strategy, np.array([seen]))
        blind = [str(i) for i in np.flatnonzero(~views)]
        if blind:
            raise LonghaulError(
                f'--model_dir={model_dir}: worker {", ".join(blind)} does not see what worker 0 '
                'writes there; name a folder that all workers share (NFS, gs://, ...)'
            )
        yield folder
    except LonghaulError as error:
        raise LonghaulError(str(error).replace(folder, model_dir)) from error
    finally:
        if not chief:
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _token(
    strategy: tf.distribute.Strategy, shared: ModelDir, *, create: bool
) -> Iterator[str | None]:
    """The name of a file that the chief has just written; None if there is no folder for it."""
    number = 0
    if is_chief(strategy):
        if create:
            shared.create()
        if tf.io.gfile.isdir(shared.path):
            number = 1 + secrets.randbelow(1 << 40)
            write_atomically(shared / f'.workers-{number}', '')
    # The maximum, for all others say 0. They look for a name that nobody has ever looked for: file
    # systems remember for a while that something is not there.
    number = int(gather(strategy, np.array([number])).max())
    name = f'.workers-{number}' if number else None
    try:
        yield name
    finally:
        if name is not None and is_chief(strategy):
            tf.io.gfile.remove(shared / name)
