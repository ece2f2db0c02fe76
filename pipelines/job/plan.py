"""The plan of a job: all that workers need to know. The launcher makes it once."""

import dataclasses
import math
import secrets
import sys

import numpy as np

from pipelines.format import anchors
from pipelines.format.errors import LonghaulError
from pipelines.format.images.limits import MAX_PIXELS
from pipelines.format.spec import SequenceSpec, character_spec, signal_spec, text_spec
from pipelines.job.items import Source
from pipelines.job.pixel_order import hilbert_order, random_order
from pipelines.job.sources.registry import FLAGS, make_source
from pipelines.options import JobOptions

_TEST, _VALIDATION = 12, 13
_SHARD_BYTES = 64 << 20
_PIXELS = ('permutation_seed', 'pixel_order', 'steps_per_pixel')
_TOKENS = ('tokens', 'vocabulary_size', 'encoding')
# Enough for any alphabet and its signs, and few enough for a softmax at every step of the decoder.
_VOCABULARY_SIZE = 1000


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that a worker needs to know. Plans are pickled.

    Attributes:
      options: of the job.
      source: where items come from.
      spec: of the records; characters have no vocabulary yet.
      auxiliary_steps: L of the stored anchors.
      shards: number of shards of each split.
      splits: names of all splits.
      test_share: share of train that becomes test.
      vocabulary_size: the greatest number of characters that get an id; None for all other steps.
      last_label_key: the greatest key whose item keeps its label, see `few_labels`; None while it
        is not known, and if all items keep their labels.
      job: a text that no other job has, see `mark`.
    """

    options: JobOptions
    source: Source
    spec: SequenceSpec
    auxiliary_steps: int
    shards: int
    splits: tuple[str, ...]
    test_share: float
    vocabulary_size: int | None = None
    last_label_key: int | None = None
    job: str = ''

    def resolved(self, vocabulary: str | None, last_label_key: int | None = None) -> 'Plan':
        """The plan with the vocabulary and the last key that the job has found; None for none."""
        found = dataclasses.replace(self, last_label_key=last_label_key)
        if vocabulary is None:
            return found
        return dataclasses.replace(found, spec=self.spec.with_vocabulary(vocabulary))

    def splits_of(self, own_splits: list[str], id_hashes: list[int]) -> list[str]:
        """The splits of items: the source's own, but some of train goes to test and validation.

        Args:
          own_splits: what the source says of N items.
          id_hashes: of the items, from `anchors.id_hash`.
        """
        splits = list(own_splits)
        hashes = np.array(id_hashes, np.uint64)
        # The later one counts: what is test cannot be validation.
        for split, stream, share in (
            ('validation', _VALIDATION, self.options.validation_share),
            ('test', _TEST, self.test_share),
        ):
            if not share:
                continue
            bits = anchors.mix(self.options.seed, stream, hashes)
            for i in np.flatnonzero((bits >> np.uint64(11)) * 2.0**-53 < share).tolist():
                if own_splits[i] == 'train':
                    splits[i] = split
        return splits


def make_plan(options: JobOptions) -> Plan:
    """Makes the plan, as far as it can be known before the job runs.

    Raises:
      LonghaulError: for options that do not fit the source or each other.
    """
    source = make_source(options.source, {flag: getattr(options, flag) for flag in FLAGS})
    own = tuple(group.split for group in source.groups())
    options = _keep_validation(options, own)
    spec = _with_trailing(_spec(options, source), options)
    test_share = _test_share(options, own)
    splits = ['train']
    if 'validation' in own or options.validation_share > 0:
        splits.append('validation')
    if 'test' in own or test_share > 0:
        splits.append('test')
    most = None if options.limit is None else options.limit * len(splits)
    return Plan(
        options=options,
        source=source,
        spec=spec,
        auxiliary_steps=_auxiliary_steps(options, spec),
        shards=options.shards or _shards(source, spec, most=most),
        splits=tuple(splits),
        test_share=test_share,
        vocabulary_size=_vocabulary_size(options, spec),
        job=secrets.token_hex(8),
    )


def _keep_validation(options: JobOptions, own: tuple[str, ...]) -> JobOptions:
    """The options without --validation_share if the source has a validation split."""
    if 'validation' not in own:
        return options
    print(
        f'note: {options.source} has a validation split of its own; --validation_share is not used',
        file=sys.stderr,
    )
    return dataclasses.replace(options, validation_share=0.0)


def _test_share(options: JobOptions, own: tuple[str, ...]) -> float:
    if options.test_share is None:
        return 0.2 if options.source.startswith('builtin:') else 0.0
    if 'test' in own and options.test_share > 0:
        raise LonghaulError(
            f'--test_share={options.test_share}: {options.source} has a test split of its own; '
            'leave the flag out'
        )
    return options.test_share


def _spec(options: JobOptions, source: Source) -> SequenceSpec:
    if source.kind == 'text':
        _refuse_flags(options, ('image_size', 'channels', *_PIXELS), 'text')
        make = character_spec if options.tokens == 'characters' else text_spec
        return make(max_steps=options.max_steps, cut=options.cut or 'head')
    if source.kind == 'signal':
        _refuse_flags(options, ('image_size', 'channels', *_PIXELS, *_TOKENS), 'arrays')
        return signal_spec(
            dtype=source.dtype,
            channels=source.channels,
            max_steps=options.max_steps,
            cut=options.cut or 'head',
        )
    _refuse_flags(options, _TOKENS, 'images')
    size = options.image_size or source.image_size()
    if size is None:
        raise LonghaulError(
            f'--image_size is missing: {options.source} holds images; name the side that they are '
            'resized to, such as --image_size=28 (784 steps)'
        )
    if size**2 > MAX_PIXELS:
        raise LonghaulError(
            f'--image_size={size}: sides up to {math.isqrt(MAX_PIXELS)} are known, since no image '
            f'may have more than {MAX_PIXELS} pixels; name a smaller one'
        )
    if options.max_steps is not None:
        raise LonghaulError(
            f'--max_steps={options.max_steps}: images have all their pixels; leave it out'
        )
    seed = options.permutation_seed
    if seed is None and options.pixel_order == 'random':
        seed = 0
    colors = options.channels or (3 if options.steps_per_pixel == 3 else source.channels)
    return SequenceSpec(
        'image',
        channels=1 if options.steps_per_pixel == 3 else colors,
        image_size=size,
        permutation_seed=seed,
        permutation=_permutation(options, size, seed),
        steps_per_pixel=options.steps_per_pixel or 1,
        jpeg='accurate',
    )


def _with_trailing(spec: SequenceSpec, options: JobOptions) -> SequenceSpec:
    trailing = options.trailing or 'blank'
    return dataclasses.replace(
        spec,
        trailing_steps=options.trailing_steps,
        trailing=trailing,
        trailing_seed=options.seed if trailing == 'noise' else None,
    )


def _refuse_flags(options: JobOptions, names: tuple[str, ...], held: str) -> None:
    for name in names:
        if getattr(options, name) is not None:
            raise LonghaulError(
                f'--{name}={getattr(options, name)}: {options.source} holds {held}; leave it out'
            )


def _permutation(options: JobOptions, size: int, seed: int | None) -> tuple[int, ...] | None:
    if options.pixel_order == 'hilbert':
        return hilbert_order(size)
    return None if seed is None else random_order(size, seed)


def _vocabulary_size(options: JobOptions, spec: SequenceSpec) -> int | None:
    if spec.tokens == 'characters':
        return options.vocabulary_size or _VOCABULARY_SIZE
    if options.vocabulary_size is not None:
        raise LonghaulError(
            f'--vocabulary_size={options.vocabulary_size}: a step is a byte, and there are 256 of '
            'them; leave it out, or add --tokens=characters'
        )
    return None


def _auxiliary_steps(options: JobOptions, spec: SequenceSpec) -> int:
    total, wanted = spec.fixed_length, options.auxiliary_steps
    if total == 1:
        raise LonghaulError(
            '--image_size=1: a sequence of one step has nothing to reconstruct; 2 is the least'
        )
    if wanted is None:
        wanted = 600
        if total is not None and wanted >= total:
            wanted = max(1, total // 4)
            print(
                f'note: the images have {total} steps; anchors are stored for '
                f'--auxiliary_steps={wanted}',
                file=sys.stderr,
            )
    elif total is not None and wanted >= total:
        raise LonghaulError(
            f'--auxiliary_steps={wanted}: the images have {total} steps; fewer than {total} are '
            f'needed, for example {max(1, total // 4)}'
        )
    return wanted


def _shards(source: Source, spec: SequenceSpec, *, most: int | None) -> int:
    """The number of shards, by size; `most`: the greatest number of items that --limit allows."""
    per_item = (
        (spec.fixed_length or 300 + spec.trailing_steps)
        * spec.channels
        * np.dtype(spec.dtype).itemsize
    )
    items = source.estimated_items()
    items = items if most is None else min(items, most)
    return max(1, min(1024, -(-items * per_item // _SHARD_BYTES)))
