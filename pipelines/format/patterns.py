"""Folders whose names TensorFlow would read as patterns.

TensorFlow looks for checkpoints and SavedModels, and removes old checkpoints, by patterns of file
names, and has no escape for a prefix. In a folder `lr[0.1]` it saves files that it cannot find
again; in a folder `run?` it removes files of the folder `run1` beside it.
"""

import fnmatch

from pipelines.format.errors import LonghaulError


def refuse_pattern(folder: str, *, flag: str) -> None:
    """Refuses a folder's name that stands for other names, or not for itself.

    Args:
      folder: any path that tf.io.gfile understands.
      flag: the argument that names it, for the refusal.

    Raises:
      LonghaulError: if TensorFlow would not find this folder, or others too.
    """
    parts = folder.split('/')
    itself = all(fnmatch.fnmatchcase(part, part) for part in parts)
    if not itself or any(character in folder for character in '*?\\'):
        raise LonghaulError(
            f'{flag}={folder}: TensorFlow reads [...], *, ? and \\ in the name of a folder as a '
            'pattern, and would not find its files, or find those of others; name a folder without '
            'them (what lies there already can be moved)'
        )
