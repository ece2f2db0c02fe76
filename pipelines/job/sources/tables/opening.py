"""Opens a table's file: CSV or JSON lines, packed by gzip or not, local or remote."""

import contextlib
import gzip
import io
from collections.abc import Iterator

from apache_beam.io.filesystems import CompressionTypes, FileSystems

from pipelines.format.errors import LonghaulError
from pipelines.job.text_encoding import mark_of


def suffixes_of(*kinds: str) -> tuple[str, ...]:
    """The endings of tables of some kinds, such as 'csv': plain and packed, in small letters."""
    return tuple(f'.{kind}{packed}' for packed in ('', '.gz') for kind in kinds)


def is_gzip(path: str) -> bool:
    """Whether the name of a table says that it is packed."""
    return path.endswith('.gz')


@contextlib.contextmanager
def open_table(path: str) -> Iterator[io.BufferedIOBase]:
    """Opens a table and yields a file of its unpacked bytes.

    Raises:
      LonghaulError: if the file cannot be read, also if reads in the `with` block fail; if the
        table is UTF-16 or UTF-32.
    """
    try:
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            # The reader of gs:// cannot read lines: without a buffer, Python would request single
            # bytes.
            unpacked = gzip.GzipFile(fileobj=file) if is_gzip(path) else io.BufferedReader(file)
            _refuse_wide(path, unpacked.peek(4))
            yield unpacked
    except LonghaulError:
        raise
    except Exception as error:
        # File systems raise many kinds of errors.
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise LonghaulError(
            f'--source: {path} cannot be read ({reason}); mend the file, or name another one'
        ) from error


def _refuse_wide(path: str, start: bytes) -> None:
    """Refuses UTF-16 and UTF-32: no row of such a table can be found by its bytes."""
    wide = mark_of(start[:4])
    if wide is not None:
        raise LonghaulError(
            f'--source: {path} is {wide}, and the rows of a table are found by the bytes of their '
            f'line ends; convert it first: iconv -f {wide} -t UTF-8 TABLE > NEW_TABLE'
        )
