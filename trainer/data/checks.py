"""Refuses a run whose configuration and records do not fit each other."""

import dataclasses

from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from pipelines.format.spec import SequenceSpec
from trainer.config import Config
from trainer.data.labelled_order import labelled_rows


def check(config: Config, info: RecordsInfo) -> None:
    """Checks the configuration against the records.

    Raises:
      LonghaulError: naming both values and what to do.
    """
    _check_kind(config, info)
    _check_loss(config, info)
    _check_lengths(config, info)
    _check_phases(config, info)
    _check_labels(config, info)


def _check_phases(config: Config, info: RecordsInfo) -> None:
    run = config.run
    if run.pretrain_steps and not config.objective.auxiliary:
        raise LonghaulError(
            f'RunConfig.pretrain_steps={run.pretrain_steps}: that phase trains auxiliary losses '
            'without labels, and both ObjectiveConfig.reconstruction_weight and prediction_weight '
            'are 0; set one of them, or RunConfig.pretrain_steps=0'
        )
    if run.train_steps and not info.class_names:
        raise LonghaulError(
            f'DataConfig.records={config.data.records!r}: the records name no classes, and the '
            'classifier needs at least one; run the job on a source with labels, or train the '
            'auxiliary losses alone with RunConfig.train_steps=0 and RunConfig.pretrain_steps > 0'
        )


def _check_labels(config: Config, info: RecordsInfo) -> None:
    """Checks the labels before an auxiliary phase, which needs none, is trained in vain."""
    data = config.data
    if data.labelled_share is None or not config.run.train_steps:
        return
    unlabelled = info.counts['classes']['train'].get('', 0)
    labelled = info.counts['splits']['train'] - unlabelled
    counts = {'labelled': labelled, 'unlabelled': unlabelled}
    labelled_rows(data.labelled_share, batch_size=data.batch_size, **counts)


def _check_kind(config: Config, info: RecordsInfo) -> None:
    spec = info.spec
    about = {
        'kind': spec.kind,
        'image_size': spec.image_size,
        'channels': spec.channels,
        'permuted': spec.permutation is not None,
        'trailing_steps': spec.trailing_steps,
    }
    for name, found in about.items():
        wanted = getattr(config.data, name)
        if wanted is not None and wanted != found:
            raise LonghaulError(
                f'DataConfig.{name}={wanted!r}, but the records in {config.data.records} have '
                f'{name}={found!r}: name other records with --records=DIR, or set '
                f'--gin_param="DataConfig.{name}={found!r}"'
            )


def _check_loss(config: Config, info: RecordsInfo) -> None:
    spec, objective = info.spec, config.objective
    if objective.auxiliary and objective.levels(spec) and spec.dtype != 'uint8':
        raise LonghaulError(
            "ObjectiveConfig.pixel_loss='cross_entropy', but the records in "
            f'{config.data.records} hold {spec.dtype}: cross_entropy needs uint8; set '
            '--gin_param="ObjectiveConfig.pixel_loss=\'squared_error\'"'
        )


def _check_lengths(config: Config, info: RecordsInfo) -> None:
    total, steps = info.spec.fixed_length, config.objective.auxiliary_steps
    if config.objective.spans_steps and total is not None and steps >= total:
        raise LonghaulError(
            f'ObjectiveConfig.auxiliary_steps={steps}, but the sequences in {config.data.records} '
            f'have {total} steps: fewer than {total} are needed, for example '
            f'--gin_param="ObjectiveConfig.auxiliary_steps={max(1, total // 4)}"'
        )


def check_same_data(
    saved: SequenceSpec,
    saved_classes: tuple[str, ...],
    spec: SequenceSpec,
    class_names: tuple[str, ...],
) -> None:
    """Refuses to go on with a run on records of another kind.

    Raises:
      LonghaulError: naming the first difference.
    """
    # The hash shows a difference between vocabularies in one line; first characters may be equal.
    names = (f.name for f in dataclasses.fields(SequenceSpec))
    fields = ['vocabulary_sha256' if name == 'vocabulary' else name for name in names]
    pairs = {name: (getattr(saved, name), getattr(spec, name)) for name in fields}
    pairs['class_names'] = (saved_classes, class_names)
    for name, (before, now) in pairs.items():
        if before != now:
            raise LonghaulError(
                f'model_dir holds a run on records with {name}={_short(before)}, these have '
                f'{_short(now)}: use the same records, or another --model_dir'
            )


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + '...'
