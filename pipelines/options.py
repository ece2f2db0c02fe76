"""The options of the job, parsed and checked. All other flags are Beam's."""

import argparse
import dataclasses
import difflib
from typing import TYPE_CHECKING, Any, NoReturn

from pipelines.format.errors import LonghaulError
from pipelines.format.spec import MAX_VOCABULARY, TRAILING
from pipelines.format.trailing import MOST_STEPS
from pipelines.job.pixel_order import ORDERS
from pipelines.job.sources import registry

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions


@dataclasses.dataclass(frozen=True)
class JobOptions:
    """The options of the job; `_HELP` says what each one means."""

    source: str
    output: str
    image_size: int | None = None
    channels: int | None = None
    max_steps: int | None = None
    cut: str | None = None
    tokens: str | None = None
    vocabulary_size: int | None = None
    segment_steps: int = 300
    auxiliary_steps: int | None = None
    anchors_per_sequence: int = 1
    anchor_sets: int = 4
    seed: int = 0
    permutation_seed: int | None = None
    pixel_order: str | None = None
    steps_per_pixel: int | None = None
    trailing_steps: int = 0
    trailing: str | None = None
    limit: int | None = None
    labels: int | None = None
    validation_share: float = 0.1
    test_share: float | None = None
    shards: int | None = None
    max_rejected_share: float = 0.01
    text_column: str | None = None
    label_column: str | None = None
    path_column: str | None = None
    csv_columns: str | None = None
    delimiter: str | None = None
    class_names: str | None = None
    encoding: str | None = None
    data_dir: str | None = None
    manual_dir: str | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        counts = (
            'image_size max_steps segment_steps auxiliary_steps anchors_per_sequence anchor_sets '
            'limit labels shards'
        )
        for name in counts.split():
            value = getattr(self, name)
            if value is not None and value < 1:
                raise LonghaulError(f'--{name}={value}: a whole number of at least 1 is needed')
        for name in ('validation_share', 'test_share', 'max_rejected_share'):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise LonghaulError(f'--{name}={value}: a share in 0..1 is needed')
        for name, allowed in _CHOICES.items():
            value = getattr(self, name)
            if value is not None and value not in allowed:
                choices = ' or '.join(map(str, allowed))
                raise LonghaulError(f'--{name}={value}: {choices} is needed')
        self._check_pairs()
        if not 0 <= self.trailing_steps <= MOST_STEPS:
            raise LonghaulError(
                f'--trailing_steps={self.trailing_steps}: a whole number in 0..{MOST_STEPS} is '
                'needed'
            )
        if self.vocabulary_size is not None and not 1 <= self.vocabulary_size <= MAX_VOCABULARY:
            raise LonghaulError(
                f'--vocabulary_size={self.vocabulary_size}: a whole number in 1..{MAX_VOCABULARY} '
                'is needed, since ids are stored in two bytes'
            )

    def _check_pairs(self) -> None:
        if self.cut is not None and self.max_steps is None:
            raise LonghaulError(
                f'--cut={self.cut}: says what --max_steps leaves of a longer sequence, and that is '
                'missing; add --max_steps=N, or leave it out'
            )
        if self.trailing is not None and self.trailing_steps == 0:
            raise LonghaulError(
                f'--trailing={self.trailing}: says what --trailing_steps appends, and that is '
                'missing or 0; add --trailing_steps=N, or leave it out'
            )
        if self.permutation_seed is not None and self.pixel_order not in (None, 'random'):
            raise LonghaulError(
                f'--pixel_order={self.pixel_order}: --permutation_seed={self.permutation_seed} is '
                'that of a random order; leave one of the two out'
            )
        if self.steps_per_pixel == 3 and self.channels == 1:
            raise LonghaulError(
                '--steps_per_pixel=3: with --channels=1 a pixel has one value; leave one of the '
                'two out'
            )


_CHOICES = {
    'channels': (1, 3),
    'tokens': ('bytes', 'characters'),
    'pixel_order': ORDERS,
    'steps_per_pixel': (1, 3),
    'cut': ('head', 'tail', 'both'),
    'trailing': TRAILING,
}
_HELP = {
    'source': registry.known(),
    'output': 'folder of the records; gs:// works with longhaul[gcp]',
    'image_size': 'side of the square that images are resized to; the sequence has its square',
    'channels': 'values per pixel: 1 (gray) or 3 (RGB); default 3 for images: and manifest:, '
    'else 1',
    'max_steps': 'longer documents and signals are cut to so many steps; default: whole',
    'cut': 'what --max_steps leaves: head (default), tail, or both ends, half each',
    'tokens': 'what a step of a document is: bytes (default) or characters (Unicode code points)',
    'vocabulary_size': 'characters that get an id, the most frequent ones of the training split '
    '(default 1000: any alphabet with its signs; Chinese and Japanese need several thousand)',
    'segment_steps': 'steps of a stored segment (default 300)',
    'auxiliary_steps': 'L, the steps that an auxiliary loss spans from a stored anchor (default '
    '600; a quarter of short images)',
    'anchors_per_sequence': 'K, stored anchors of a sequence (default 1)',
    'anchor_sets': 'E, stored sets of anchors, one per epoch (default 4)',
    'seed': 'seed of anchors and splits (default 0)',
    'permutation_seed': 'seed of --pixel_order=random, which it implies (pMNIST)',
    'pixel_order': 'raster (row by row, default), random (one fixed order), or hilbert (along a '
    'Hilbert curve; sides that are a power of two)',
    'steps_per_pixel': '3: red, green and blue are three steps, one after another; 1 (default): a '
    'pixel is one step with all its values',
    'trailing_steps': 'steps appended to every sequence, behind all of its own: its answer then '
    'lies out of reach of a truncated gradient (default 0)',
    'trailing': 'what --trailing_steps appends: blank (zeros, default) or noise (uniform over all '
    'values, by --seed and id)',
    'limit': 'take only so many examples of each split, chosen by hash of the id',
    'labels': 'keep the labels of only so many training examples, chosen by hash of the id; all '
    'others become unlabelled, validation and test keep theirs (default: all)',
    'validation_share': 'cut out of the training split by hash of the id (default 0.1); not used '
    'for a data set with a validation split of its own',
    'test_share': 'cut out of the training split by hash of the id, for a source without a test '
    'split (default 0; 0.2 for builtin:)',
    'shards': 'files per split; default: by size',
    'max_rejected_share': 'fail when more of the items cannot be read (default 0.01)',
    'text_column': 'csv, jsonl: column (key) of the text (default: text); tfds: Text feature',
    'label_column': 'csv, jsonl, manifest: column (key) of the label (default: label, if '
    'there is one); tfds: ClassLabel feature',
    'path_column': "manifest: column (key) of the image's path (default: path)",
    'csv_columns': 'csv: names of the columns, comma-separated, for a file without a header row',
    'delimiter': "csv, manifest: the sign between cells, such as ';' or tab (default: a comma; a "
    'tab in .tsv)',
    'class_names': 'csv, jsonl, manifest, npy: file with one class name a line; integer labels '
    'stand for them',
    'encoding': 'encoding of texts that are not UTF-8 and have no byte order mark: cp1252, '
    'shift_jis, or any other that Python knows (default: such texts are rejected by name)',
    'data_dir': "tfds: folder of TFDS's prepared data (default: TFDS's own)",
    'manual_dir': 'tfds: folder of original files, for data sets that cannot be downloaded',
    'overwrite': 'replace a finished output',
}


class _Parser(argparse.ArgumentParser):
    """A parser that refuses in one line. argparse itself would print the usage."""

    def error(self, message: str) -> NoReturn:
        raise LonghaulError(f'{message}; see python -m pipelines.main --help')


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog='python -m pipelines.main',
        description='Turns raw images, documents and numbers into records for the trainer.',
        epilog='All other flags are Apache Beam options, such as --runner and --project.',
        allow_abbrev=False,
    )
    for field in dataclasses.fields(JobOptions):
        settings: dict[str, Any] = {'help': _HELP[field.name]}
        if field.type is bool:
            settings['action'] = 'store_true'
        else:
            kinds = [k for k in (int, float, str) if k.__name__ in str(field.type)]
            settings |= {'type': kinds[0], 'default': field.default}
            if field.default is dataclasses.MISSING:
                settings |= {'required': True, 'default': None}
        parser.add_argument(f'--{field.name}', **settings)
    return parser


def parse(argv: list[str]) -> tuple[JobOptions, 'PipelineOptions']:
    """Parses the command line.

    Returns:
      (the options of the job, the options of Beam).

    Raises:
      LonghaulError: for a bad value, or a flag that neither knows (with the nearest name).
    """
    known, rest = _parser().parse_known_args(argv)
    # Beam takes a second to load: --help ends above.
    from apache_beam.options.pipeline_options import PipelineOptions

    beam_parser = _Parser(add_help=False, allow_abbrev=False)
    for cls in PipelineOptions.__subclasses__():
        if '_add_argparse_args' in cls.__dict__:
            cls._add_argparse_args(beam_parser)
    _, unknown = beam_parser.parse_known_args(rest)
    if unknown:
        names = list(_HELP) + [a.dest for a in beam_parser._actions]
        wanted = unknown[0].lstrip('-').partition('=')[0]
        nearest = difflib.get_close_matches(wanted, names, n=1)
        hint = f'did you mean --{nearest[0]}?' if nearest else 'see python -m pipelines.main --help'
        raise LonghaulError(f'{unknown[0]}: no such flag; {hint}')
    if not any(flag.startswith('--runner') for flag in rest):
        # Without --runner, Beam would first try to download another local runner.
        rest.append('--runner=FnApiRunner')
    return JobOptions(**vars(known)), PipelineOptions(rest)
