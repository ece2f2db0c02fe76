"""The model card, README.md beside the SavedModel: data, accuracy, limits, signatures."""

import dataclasses
import json
from typing import Any

import tensorflow as tf

from pipelines.format.errors import printable
from pipelines.format.spec import SequenceSpec
from trainer.config import Config
from trainer.models.architectures import method
from trainer.run_dir import small_files
from trainer.run_dir.folder import GIN_FILE, ModelDir
from trainer.run_dir.markdown import plain

_WITHOUT = 'the card does not have its numbers until --mode=eval is run again'
_SPLITS = ('test', 'validation')
_PLACES = ('DataConfig.records', 'DataConfig.service', 'RunConfig.warm_start', 'RECORDS')


def write_card(
    folder: ModelDir,
    config: Config,
    spec: SequenceSpec,
    class_names: tuple[str, ...],
    *,
    version: int,
    checkpoint: str,
    signatures: dict[str, dict[str, tf.TensorSpec]],
    others: list[str],
) -> str:
    """Writes the card of one export.

    Args:
      folder: of the run.
      config: of the run.
      spec: of its records.
      class_names: by label.
      version: global step of the weights.
      checkpoint: that they come from.
      signatures: inputs of each, by name.
      others: what became of models in other formats, a sentence each.

    Returns:
      The text, Markdown.
    """
    parts = [
        f'# {method(config)} classifier of {_nouns(spec)}',
        f'Version {version}: the weights after {version:,} steps of training '
        f'({plain("/".join(checkpoint.split("/")[-2:]))}), written by Longhaul.',
        '## Data',
        _data(spec, class_names),
        '## How good it is',
        _accuracy(folder, version),
        '## Limits',
        _limits(spec),
        '## How to call it',
        _call(spec),
        _signatures(signatures),
        *others,
        '## Configuration',
        _configuration(folder, config),
    ]
    return '\n\n'.join(parts) + '\n'


def _nouns(spec: SequenceSpec) -> str:
    return {'image': 'images', 'text': 'documents', 'signal': 'signals'}[spec.kind]


def _data(spec: SequenceSpec, class_names: tuple[str, ...]) -> str:
    lines = []
    if spec.kind == 'image':
        side, order = spec.image_size, 'row by row' if spec.permutation is None else 'reordered'
        colors = 'gray' if spec.colors == 1 else 'RGB'
        lines.append(
            f'Images resized to {side}x{side} ({colors}), read pixel by pixel, {order}: '
            f'{spec.picture_steps:,} steps of {spec.channels} value(s).'
        )
    elif spec.kind == 'text':
        cut = '' if spec.max_steps is None else f', cut to {spec.max_steps:,} ({spec.cut})'
        lines.append(f'Documents, read as {spec.tokens}{cut}.')
        if spec.vocabulary is not None:
            lines.append(f'Vocabulary of {len(spec.vocabulary):,} characters, inside the model.')
    else:
        cut = '' if spec.max_steps is None else f', cut to {spec.max_steps:,} steps ({spec.cut})'
        lines.append(f'Arrays of {spec.channels} channel(s), {spec.dtype}{cut}.')
    if spec.trailing_steps:
        what = {'blank': 'zeros', 'noise': 'noise'}[spec.trailing]
        lines.append(f'{spec.trailing_steps:,} steps of {what} are appended to each of them.')
    shown = ', '.join(plain(name) for name in class_names[:20])
    more = f' and {len(class_names) - 20} more' if len(class_names) > 20 else ''
    lines.append(f'{len(class_names)} classes: {shown}{more}.')
    return '\n'.join(lines)


def _accuracy(folder: ModelDir, version: int) -> str:
    rows = []
    for split in _SPLITS:
        path = folder / f'evaluation-{split}.json'
        if not tf.io.gfile.exists(path):
            continue
        text = small_files.read_text(path, without=_WITHOUT)
        found = small_files.parse(text, path, 'evaluation-*.json', without=_WITHOUT)
        # The numbers of another checkpoint do not hold for these weights.
        if found.get('global_step') == version and 'accuracy' in found:
            rows.append(_row(split, found))
    if not rows:
        return (
            'These weights have not been evaluated. `python -m trainer.main --mode=eval '
            '--model_dir=RUN` does it; export again afterwards.'
        )
    head = ['| split | accuracy | 95 % interval | examples |', '| --- | --- | --- | --- |']
    return '\n'.join(head + rows)


def _row(split: str, found: dict[str, Any]) -> str:
    low, high = found['accuracy_low'], found['accuracy_high']
    return (
        f'| {split} | {found["accuracy"]:.2%} | {low:.2%} to {high:.2%} | {found["labelled"]:,} |'
    )


def _limits(spec: SequenceSpec) -> str:
    common = (
        'It names one of its classes for every item, even for an item that belongs to none of '
        'them. Its probabilities come from a softmax and were not calibrated.'
    )
    own = {
        'image': 'Aspect ratios are not kept: pictures are resized to a square.',
        'text': 'Text is read as UTF-8 without any normalisation.',
        'signal': 'Values are not rescaled: scale them like the data it was trained on.',
    }
    return f'{common} {own[spec.kind]}'


def _call(spec: SequenceSpec) -> str:
    item = {'image': 'a PNG, JPEG, GIF or BMP file', 'text': 'a UTF-8 text'}
    what = item.get(spec.kind, 'a .npy file')
    return (
        f'`serving_default` takes a batch of raw items, the bytes of {what} each:\n\n'
        '    import tensorflow as tf\n'
        # A function outlives the model, but not its variables.
        "    model = tf.saved_model.load('.')\n"
        "    serve = model.signatures['serving_default']\n"
        "    answer = serve(data=tf.constant([open('FILE', 'rb').read()]))\n"
        "    answer['class_name'], answer['probabilities'], answer['readable']"
    )


def _signatures(signatures: dict[str, dict[str, tf.TensorSpec]]) -> str:
    rows = ['| signature | inputs |', '| --- | --- |']
    for name, inputs in signatures.items():
        parts = [f'`{key}` {_type(spec)}' for key, spec in inputs.items()]
        rows.append(f'| `{name}` | {", ".join(parts)} |')
    return '\n'.join(rows)


def _type(spec: tf.TensorSpec) -> str:
    sizes = ', '.join('?' if size is None else str(size) for size in spec.shape)
    return f'{spec.dtype.name} [{sizes}]'


def _configuration(folder: ModelDir, config: Config) -> str:
    commits = ', '.join(plain(commit) for commit in folder.commits()) or 'unknown'
    lines = [f'Code: {commits}. Seed {config.run.seed}.']
    if tf.io.gfile.exists(folder / GIN_FILE):
        text = small_files.read_text(folder / GIN_FILE, without='name one with --gin_file')
        lines.append('\n'.join(f'    {printable(line)}' for line in _without_places(text)))
    else:
        lines.append('    ' + json.dumps(dataclasses.asdict(config.model)))
    return '\n\n'.join(lines)


def _without_places(text: str) -> list[str]:
    """The lines of a configuration without file paths, which a model card must not publish."""
    statements: list[list[str]] = []
    for line in text.splitlines():
        # gin continues a long statement in indented lines.
        if line.startswith(' ') and statements:
            statements[-1].append(line)
        else:
            statements.append([line])
    return [line for lines in statements if not _says_where(lines) for line in lines]


def _says_where(statement: list[str]) -> bool:
    name, _, value = '\n'.join(statement).partition('=')
    if name.startswith('#'):
        return False
    # A macro of the user may have any name; no value but a path has a slash.
    return name.strip() in _PLACES or '/' in value
