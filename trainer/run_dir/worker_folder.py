"""The folder in which each worker of a run works.

All workers run the same code, so that all take part in every exchange between them, in the same
order. Only their folders differ. The chief has the run's model_dir. Every other worker has a
temporary copy of it, which it reads and writes like a model_dir, and removes at the end.
"""

import contextlib
import secrets
import shutil
import tempfile
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.devices.workers import count, gather, is_chief
from trainer.run_dir.files import write_atomically
from trainer.run_dir.folder import ModelDir

_LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


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
            # No worker leaves while another one may still need it.
            gather(strategy, np.zeros([1], np.int64))
    except _LOST as error:
        raise LonghaulError(
            'another worker has stopped, see its own output; start all workers again with '
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
            # The chief changes no file before all workers have read them.
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
    # The maximum, since all other workers send 0. The name has a random number because a file
    # system may cache that a file does not exist: no worker has looked for this name before.
    number = int(gather(strategy, np.array([number])).max())
    name = f'.workers-{number}' if number else None
    try:
        yield name
    finally:
        if name is not None and is_chief(strategy):
            tf.io.gfile.remove(shared / name)
