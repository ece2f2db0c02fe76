"""Finds the newest readable checkpoint: a machine that loses power may leave an unreadable one."""

from collections.abc import Callable

import tensorflow as tf

from pipelines.format.errors import LonghaulError


def _is_whole(path: str) -> bool:
    """Whether every tensor of a checkpoint can be read; their checksums are part of the format."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except Exception:  # TensorFlow's readers raise many types.
        return False
    return True


def heal(folder: str, *, say: Callable[[str], None]) -> None:
    """Makes the newest readable checkpoint of a folder the latest one.

    A process that is killed leaves whole checkpoints behind. A machine that loses power may not,
    because files are not synced to the disk.

    Args:
      folder: of checkpoints; nothing happens where there is none.
      say: takes a line for people, if something was wrong.

    Raises:
      LonghaulError: if there are checkpoints, and none can be read.
    """
    state = tf.train.get_checkpoint_state(folder)
    if state is None or not state.all_model_checkpoint_paths:
        return
    paths = list(state.all_model_checkpoint_paths)
    whole = next((path for path in reversed(paths) if _is_whole(path)), None)
    if whole is None:
        raise LonghaulError(
            f'{folder}: none of {len(paths)} checkpoints can be read; remove the folder to start '
            'again, or bring one back from a copy'
        )
    if whole != paths[-1]:
        say(f'{paths[-1]}: cannot be read; going on from {whole}')
        kept = paths[: paths.index(whole) + 1]
        tf.compat.v1.train.update_checkpoint_state(folder, whole, all_model_checkpoint_paths=kept)
