"""Reads the runs, makes the page and writes it."""

import tensorflow as tf

from pipelines.format import library_logs
from pipelines.format.errors import LonghaulError, first_line
from tools.report import comparison, single
from tools.report.run_files import read_run


def write(folders: list[str], path: str, *, records: str | None = None) -> int:
    """Writes the page of one run, or the comparison of several.

    Args:
      folders: of the runs.
      path: of the page; any that tf.io.gfile understands.
      records: folder of the runs' records; None: where they lay when the runs were trained.

    Returns:
      The size of the page in bytes.

    Raises:
      LonghaulError: if a folder holds no run, or the page cannot be written.
    """
    library_logs.errors_alone()
    runs = [read_run(folder, records=records) for folder in dict.fromkeys(folders)]
    page = single.page(runs[0]) if len(runs) == 1 else comparison.page(runs)
    content = page.encode()
    partial = f'{path}.partial'
    try:
        with tf.io.gfile.GFile(partial, 'wb') as file:
            file.write(content)
        tf.io.gfile.rename(partial, path, overwrite=True)
    except (tf.errors.OpError, OSError) as error:
        raise LonghaulError(
            f'--html={path}: cannot be written ({first_line(error)}); name another file'
        ) from error
    return len(content)
