"""Sources of raw items, chosen by the prefix of --source."""

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Source
from pipelines.job.sources.csv_table import CsvTable
from pipelines.job.sources.digits import Digits
from pipelines.job.sources.idx import Idx
from pipelines.job.sources.images import Images

_KNOWN = 'images:DIR_OR_ZIP, idx:DIR, csv:FILE_OR_DIR and builtin:digits'


def make_source(
    source: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    csv_columns: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Source:
    """Makes a source from the value of --source.

    Raises:
      LonghaulError: for an unknown prefix or a missing place.
    """
    kind, _, place = source.partition(':')
    if not place:
        raise LonghaulError(f'--source={source}: {_KNOWN} are known')
    if kind == 'images':
        return Images(place)
    if kind == 'idx':
        return Idx(place)
    if kind == 'csv':
        return CsvTable(
            place,
            text_column=text_column,
            label_column=label_column,
            columns=csv_columns,
            names=class_names,
        )
    if source == 'builtin:digits':
        return Digits()
    raise LonghaulError(f'--source={source}: {_KNOWN} are known')
