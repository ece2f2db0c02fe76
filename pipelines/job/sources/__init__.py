"""Sources of raw items, chosen by the prefix of --source."""

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Source
from pipelines.job.sources.digits import Digits
from pipelines.job.sources.idx import Idx
from pipelines.job.sources.images import Images
from pipelines.job.sources.manifest import make_manifest
from pipelines.job.sources.npy import make_npy
from pipelines.job.sources.stdlib import Stdlib
from pipelines.job.sources.tables.documents import CsvTable
from pipelines.job.sources.tables.json_rows import JsonLines
from pipelines.job.sources.texts import Texts
from pipelines.job.sources.tfds import make_tfds
from pipelines.job.text_encoding import check_encoding

_BUILTIN = {'digits': Digits, 'stdlib': Stdlib}
_PLACES = {'images': Images, 'texts': Texts, 'idx': Idx}
_KNOWN = (
    'images:DIR_OR_ZIP, texts:DIR_OR_ZIP, idx:DIR, csv:FILE_OR_DIR, jsonl:FILE_OR_DIR, '
    'manifest:FILE_OR_DIR, npy:DIR, tfds:NAME, builtin:digits and builtin:stdlib'
)
# Which sources have a use for a flag.
_FLAGS = {
    'text_column': ('csv', 'jsonl', 'tfds'),
    'label_column': ('csv', 'jsonl', 'manifest', 'tfds'),
    'path_column': ('manifest',),
    'csv_columns': ('csv',),
    'class_names': ('csv', 'jsonl', 'manifest', 'npy'),
    'encoding': ('texts', 'csv', 'jsonl', 'tfds'),
    'data_dir': ('tfds',),
    'manual_dir': ('tfds',),
}


def make_source(
    source: str,
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    path_column: str | None = None,
    csv_columns: tuple[str, ...] | None = None,
    class_names: tuple[str, ...] | None = None,
    encoding: str | None = None,
    data_dir: str | None = None,
    manual_dir: str | None = None,
) -> Source:
    """Makes a source from the value of --source.

    The other flags are those of texts, of tables and of TFDS.

    A data set of TFDS is downloaded and prepared here, unless it is; manifests and the headers of
    arrays are read.

    Raises:
      LonghaulError: for an unknown prefix, or flags that the source has no use for.
    """
    kind, _, place = source.partition(':')
    files = kind in (*_PLACES, 'csv', 'jsonl', 'manifest', 'npy', 'tfds') and place
    if not files and not (kind == 'builtin' and place in _BUILTIN):
        raise LonghaulError(f'--source={source}: {_KNOWN} are known; name one of them')
    if '://' in place and kind != 'manifest':
        raise LonghaulError(
            f'--source={source}: sources are read as local files; copy it, or mount it (gcsfuse); '
            'images anywhere can be named in a table: --source=manifest:FILE'
        )
    flags = {
        'text_column': text_column,
        'label_column': label_column,
        'path_column': path_column,
        'csv_columns': csv_columns,
        'class_names': class_names,
        'encoding': encoding,
        'data_dir': data_dir,
        'manual_dir': manual_dir,
    }
    _refuse_useless(source, kind, [name for name, value in flags.items() if value is not None])
    encoding = check_encoding(encoding, table=kind in ('csv', 'jsonl'))
    columns = {'text_column': text_column, 'label_column': label_column}
    if kind == 'tfds':
        return make_tfds(
            place, data_dir=data_dir, manual_dir=manual_dir, encoding=encoding, **columns
        )
    if kind == 'csv':
        return CsvTable(
            place, csv_columns=csv_columns, names=class_names, encoding=encoding, **columns
        )
    if kind == 'jsonl':
        return JsonLines(place, names=class_names, encoding=encoding, **columns)
    if kind == 'manifest':
        return make_manifest(
            place, path_column=path_column, label_column=label_column, names=class_names
        )
    if kind == 'npy':
        return make_npy(place, names=class_names)
    if kind == 'builtin':
        return _BUILTIN[place]()
    if kind == 'texts':
        return Texts(place, encoding)
    return _PLACES[kind](place)


def _refuse_useless(source: str, kind: str, given: list[str]) -> None:
    for name in given:
        if kind not in _FLAGS[name]:
            *others, last = (f'{owner}:' for owner in _FLAGS[name])
            owners = f'{", ".join(others)} and {last}' if others else last
            raise LonghaulError(
                f'--{name}: is for {owners} sources, and the source is {source}; leave it out'
            )
