"""Finds the newest readable checkpoint: a machine that loses power may leave an unreadable one.

The file `checkpoint` names the checkpoints of a folder. It may be lost or damaged too: then the
checkpoints that lie beside it count.
"""

import re
from typing import NamedTuple

import tensorflow as tf

from pipelines.format.errors import LonghaulError
from trainer.run_dir.files import write_atomically

STATE_FILE = 'checkpoint'
STEP = 'global_step/.ATTRIBUTES/VARIABLE_VALUE'
_INDEX = re.compile(r'(ckpt-(\d+))\.index')


def is_whole(path: str, *, holding: str = STEP) -> bool:
    """Whether all tensors of a checkpoint can be read, a certain one among them.

    Their checksums are part of the format.
    """
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
        return reader.has_tensor(holding)
    except Exception:  # TensorFlow's readers raise many types.
        return False


def _named(folder: str) -> list[str]:
    """The checkpoints that the file `checkpoint` names, the latest last; [] if it tells nothing."""
    try:
        state = tf.train.get_checkpoint_state(folder)
    except ValueError:  # It is no text.
        return []
    return [] if state is None else list(state.all_model_checkpoint_paths)


def _found(folder: str) -> list[str]:
    """The checkpoints that lie in a folder, by their numbers."""
    matches = [_INDEX.fullmatch(name) for name in tf.io.gfile.listdir(folder)]
    numbered = sorted((int(m[2]), m[1]) for m in matches if m)
    return [tf.io.gfile.join(folder, name) for _, name in numbered]


class Newest(NamedTuple):
    """The newest readable checkpoint, and what should have been it but cannot be read, if any."""

    path: str
    lost: str | None


def newest(folder: str, *, without: str) -> Newest | None:
    """Finds the newest readable checkpoint of a folder; None without a folder or a checkpoint.

    A process that is killed leaves whole checkpoints behind. A machine that loses power may not,
    because files are not synced to the disk.

    Args:
      folder: of checkpoints.
      without: what happens if the folder is removed, as a verb for people: 'start again'.

    Raises:
      LonghaulError: if there are checkpoints, and none can be read.
    """
    if not tf.io.gfile.isdir(folder):
        return None
    named = _named(folder)
    if named and is_whole(named[-1]):
        return Newest(named[-1], None)
    if (now := _named(folder)) != named and now and is_whole(now[-1]):
        # A run that trains has replaced it in the meantime.
        return Newest(now[-1], None)
    found = _found(folder)
    whole = next((path for path in reversed(found) if is_whole(path)), None)
    if whole is not None:
        return Newest(whole, named[-1] if named else tf.io.gfile.join(folder, STATE_FILE))
    if not named and not found:
        return None
    count = len({path.rpartition('/')[2] for path in named + found})
    raise LonghaulError(
        f'{folder}: none of {count} checkpoints can be read; remove the folder to {without}, or '
        'bring one back from a copy'
    )


def make_latest(folder: str, path: str) -> None:
    """Makes a checkpoint the latest of its folder: the file `checkpoint` names none after it.

    The names are relative to the folder, so that it can be moved. Only for whoever holds the lock.
    """
    found = _found(folder)
    paths = found[: found.index(path) + 1]
    names = [path.rpartition('/')[2] for path in paths]
    state = tf.compat.v1.train.generate_checkpoint_state_proto(
        '/',
        names[-1],
        all_model_checkpoint_paths=names,
        # Without times, the manager would never remove them.
        all_model_checkpoint_timestamps=[
            tf.io.gfile.stat(f'{path}.index').mtime_nsec * 1e-9 for path in paths
        ],
        last_preserved_timestamp=0.0,
    )
    write_atomically(tf.io.gfile.join(folder, STATE_FILE), str(state))
