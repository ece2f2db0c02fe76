"""Sources of raw items, chosen by the prefix of --source."""

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Source
from pipelines.job.sources.csv_table import CsvTable
from pipelines.job.sources.digits import Digits
from pipelines.job.sources.idx import Idx
from pipelines.job.sources.images import Images
from pipelines.job.sources.json_lines import JsonLines
from pipelines.job.sources.stdlib import Stdlib
from pipelines.job.sources.texts import Texts

_BUILTIN = {'digits': Digits, 'stdlib': Stdlib}
_PLACES = {'images': Images, 'texts': Texts, 'idx': Idx}
_KNOWN = (
    'images:DIR_OR_ZIP, texts:DIR_OR_ZIP, idx:DIR, csv:FILE_OR_DIR, jsonl:FILE_OR_DIR, '
    'builtin:digits and builtin:stdlib'
)
# Which sources have a use for a flag.
_FLAGS = {
    'text_column': ('csv', 'jsonl'),
    'label_column': ('csv', 'jsonl'),
    'csv_columns': ('csv',),
    'class_names': ('csv', 'jsonl'),
}


def make_source(
    source: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    csv_columns: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
) -> Source:
    """Makes a source from the value of --source; the other flags are those of tables.

    Raises:
      LonghaulError: for an unknown prefix, or flags that the source has no use for.
    """
    kind, _, place = source.partition(':')
    files = kind in (*_PLACES, 'csv', 'jsonl') and place
    if not files and not (kind == 'builtin' and place in _BUILTIN):
        raise LonghaulError(f'--source={source}: {_KNOWN} are known; name one of them')
    if '://' in place:
        raise LonghaulError(
            f'--source={source}: sources are read as local files; copy it, or mount it (gcsfuse)'
        )
    table = {
        'text_column': text_column,
        'label_column': label_column,
        'csv_columns': csv_columns,
        'class_names': class_names,
    }
    for name, value in table.items():
        if value is not None and kind not in _FLAGS[name]:
            owners = ' and '.join(f'{owner}:' for owner in _FLAGS[name])
            raise LonghaulError(
                f'--{name}: is for {owners} sources, and the source is {source}; leave it out'
            )
    keys = {'text_column': text_column, 'label_column': label_column, 'names': class_names}
    if kind == 'csv':
        return CsvTable(place, csv_columns=csv_columns, **keys)
    if kind == 'jsonl':
        return JsonLines(place, **keys)
    if kind == 'builtin':
        return _BUILTIN[place]()
    return _PLACES[kind](place)
