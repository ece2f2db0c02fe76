"""Finds a data set of TensorFlow Datasets by its name, and has it prepared.

Functions import TFDS themselves: the import is slow, and most jobs do not need it.
"""

import contextlib
import difflib
import functools
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

from pipelines.format.errors import LonghaulError

# Characters of an error of TFDS that a refusal quotes: the error may be a page long.
_MOST = 300


def find_builder(name: str, data_dir: str | None) -> Any:
    """Finds a data set, prepared or not; does not use the network.

    Args:
      name: NAME, NAME/CONFIG, NAME:VERSION or NAME/CONFIG:VERSION.
      data_dir: folder of prepared data; None: the default of TFDS.

    Returns:
      A tfds.core.DatasetBuilder.

    Raises:
      LonghaulError: for an unknown name; the message has similar ones.
    """
    import tensorflow_datasets as tfds

    source = f'--source=tfds:{name}'
    try:
        parsed, _ = tfds.core.naming.parse_builder_name_kwargs(name)
    except ValueError as error:
        raise LonghaulError(
            f'{source}: no name of TFDS; write NAME, NAME/CONFIG, NAME:VERSION or '
            'NAME/CONFIG:VERSION, such as mnist or imdb_reviews/plain_text:1.0.0'
        ) from error
    if parsed.namespace:
        raise LonghaulError(
            f'{source}: data sets of a namespace ({parsed.namespace}) are not read; name one of '
            "TFDS's own, or one that is prepared in --data_dir"
        )
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.registered.DatasetNotFoundError as error:
        known = tfds.list_builders(with_community_datasets=False)
        raise LonghaulError(
            f'{source}: TFDS knows no such data set, and none is prepared in '
            f'{_shown(data_dir)}; {_nearest(parsed.name, known)}'
        ) from error
    except Exception as error:
        # The script of a data set may raise any error, such as for an unknown config or a missing
        # library.
        hint = _configs(parsed.name) or 'mend the name, or install what is missing'
        raise LonghaulError(f'{source}: {_reason(error)}; {hint}') from error


def prepare(builder: Any, name: str, data_dir: str | None, manual_dir: str | None) -> Any:
    """Has TFDS download and prepare a data set, unless it is prepared.

    Args:
      builder: from `find_builder`.
      name: the name that `find_builder` was given.
      data_dir: the folder that `find_builder` was given.
      manual_dir: folder of original files that the user has fetched: those that the data set asks
        for, or downloads under their own names. TFDS checks their checksums.

    Returns:
      The builder of the prepared data.

    Raises:
      LonghaulError: if the data set cannot be downloaded or prepared.
    """
    import tensorflow_datasets as tfds

    if builder.info.initialized:
        return builder
    print(
        f'note: tfds:{name} is not prepared in {_shown(data_dir)}; TFDS downloads and prepares it '
        'there (without a network it gives up after some minutes)',
        file=sys.stderr,
    )
    config = tfds.download.DownloadConfig(manual_dir=manual_dir)
    try:
        with _quietly():
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        raise LonghaulError(
            f'--source=tfds:{name}: cannot be downloaded and prepared ({_reason(error)}); where it '
            'cannot be downloaded, name a folder of prepared data with --data_dir, or one of the '
            'original files with --manual_dir'
        ) from error
    return open_prepared(name, data_dir)


@functools.lru_cache(maxsize=4)
def open_prepared(name: str, data_dir: str | None) -> Any:
    """The builder of prepared data. A process opens it once.

    Raises:
      LonghaulError: if this machine does not see the prepared data.
    """
    builder = find_builder(name, data_dir)
    if not builder.info.initialized:
        raise LonghaulError(
            f'--source=tfds:{name}: no prepared data in {builder.data_dir}; all workers read the '
            'same folder: name one on a shared disk with --data_dir, or remove an unfinished one'
        )
    return builder


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Suppresses the output of TFDS: all but progress bars on a terminal."""
    import tensorflow_datasets as tfds

    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    attempts = logging.getLogger('urllib3.connectionpool')
    level = attempts.level
    attempts.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        attempts.setLevel(level)


def _shown(data_dir: str | None) -> str:
    return data_dir or "TFDS's default folder (--data_dir names another)"


def _reason(error: Exception) -> str:
    """The beginning of an error's text in one line, without the prefix that TFDS adds."""
    text = ' '.join(str(error).split()).rpartition('}": ')[2].rstrip('.')
    short = text if len(text) <= _MOST else f'{text[:_MOST]}...'
    return f'{type(error).__name__}: {short}' if short else type(error).__name__


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3)
    if near:
        return f'did you mean {", ".join(near)}?'
    return f'tfds.list_builders() lists all {len(known)} names'


def _configs(name: str) -> str:
    """A hint with the configs of a data set; '' without configs, or for an unknown data set."""
    import tensorflow_datasets as tfds

    with contextlib.suppress(Exception):
        found = list(tfds.builder_cls(name).builder_configs)
        if found:
            shown = ', '.join(found[:10]) + (', ...' if len(found) > 10 else '')
            return f'its configs are {shown}'
    return ''
