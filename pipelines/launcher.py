"""Runs the job: prepares the output folder, runs the graph, reports; a refusal is one line."""

import fnmatch
import logging
import posixpath
import sys
import time
from collections import Counter

import apache_beam as beam
import tensorflow as tf
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineRunner, create_runner

from pipelines import options as job_options
from pipelines.format import errors, records
from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from pipelines.job.graph import build
from pipelines.job.plan import make_plan
from pipelines.options import JobOptions

_LEFTOVERS = ('*-of-*.tfrecord', '*-of-*.index', 'rejected-*.jsonl', '*.partial')


def main(argv: list[str]) -> int:
    """Runs the job; returns the exit code: 0, 2 for a refusal, 130 when interrupted."""
    # What a worker raises is raised here as well.
    logging.getLogger('apache_beam').setLevel(logging.CRITICAL)
    try:
        options, beam_options = job_options.parse(argv)
        started = time.monotonic()
        info = run(options, beam_options)
    except LonghaulError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('stopped; the output is unfinished: run the same command again', file=sys.stderr)
        return 130
    print(_summary(info, options.output, time.monotonic() - started))
    return 0


def run(options: JobOptions, beam_options: PipelineOptions) -> RecordsInfo:
    """Runs the job to its end.

    Args:
      options: of the job.
      beam_options: runner and so on.

    Returns:
      The description of the finished data set.

    Raises:
      LonghaulError: for whatever the user can put right.
    """
    # A manifest is read before there is a pipeline.
    FileSystems.set_options(beam_options)
    plan = make_plan(options)
    runner = _make_runner(beam_options)
    _prepare_output(options)
    try:
        with beam.Pipeline(runner=runner, options=beam_options) as pipeline:
            build(pipeline, plan)
    except Exception as error:
        ours = errors.wrapped(error)
        if ours is None:
            raise
        raise ours from None
    return records.read_info(options.output)


def _make_runner(beam_options: PipelineOptions) -> PipelineRunner:
    name = beam_options.view_as(StandardOptions).runner
    try:
        return create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise LonghaulError(
            f'--runner={name}: Beam has no such runner ({error}); leave the flag out to run here, '
            'or name one such as DirectRunner or DataflowRunner'
        ) from error


def _prepare_output(options: JobOptions) -> None:
    """Refuses a finished output; removes what another run has left."""
    folder = options.output
    try:
        if tf.io.gfile.exists(posixpath.join(folder, records.FILE_NAME)) and not options.overwrite:
            raise LonghaulError(
                f'--output={folder}: holds finished records; add --overwrite to replace them, or '
                'name another folder'
            )
        if not FileSystems.exists(folder):
            FileSystems.mkdirs(folder)
        # First of all, so that nothing half-replaced ever passes for finished.
        for name in (records.FILE_NAME, 'stats.json'):
            _remove(posixpath.join(folder, name))
        for name in tf.io.gfile.listdir(folder):
            if any(fnmatch.fnmatch(name, pattern) for pattern in _LEFTOVERS):
                _remove(posixpath.join(folder, name))
        probe = posixpath.join(folder, '.writable.partial')
        FileSystems.create(probe).close()
        _remove(probe)
    except (OSError, tf.errors.OpError, beam.io.filesystem.BeamIOError) as error:
        reason = str(error).splitlines()[0]
        raise LonghaulError(
            f'--output={folder}: cannot be written to ({reason}); name a folder that you may '
            'write to'
        ) from error


def _remove(path: str) -> None:
    if tf.io.gfile.exists(path):
        tf.io.gfile.remove(path)


def _summary(info: RecordsInfo, folder: str, seconds: float) -> str:
    rows = []
    for split, count in info.counts['splits'].items():
        shards = info.shards[split]
        size = sum(s['bytes'] for s in shards) / 1e6
        steps = info.counts['steps'][split]
        rows.append(
            f'  {split:<11}{count:>9,} examples  {steps:>14,} steps  {size:>9,.1f} MB  '
            f'{len(shards)} shard{"s" if len(shards) > 1 else ""}'
        )
    unlabelled = sum(classes.get('', 0) for classes in info.counts['classes'].values())
    if unlabelled:
        rows.append(f'  {unlabelled:,} of them have no label')
    rows.extend(_encodings_row(info))
    if info.spec.vocabulary is not None:
        rows.append(_vocabulary_row(info))
    if info.counts['rejected']:
        rows.append(f'  {info.counts["rejected"]:,} items rejected: see rejected-*.jsonl')
    length = info.spec.fixed_length
    what = f'{length} steps each' if length else 'of different length'
    head = f'{len(info.class_names)} classes, {what}, segments of {info.segment_steps}'
    return '\n'.join([f'{head}, in {seconds:.0f} s:', *rows, f'records: {folder}'])


def _encodings_row(info: RecordsInfo) -> list[str]:
    """A line on texts that were converted, if there are any."""
    total: Counter[str] = Counter()
    for found in info.counts.get('encodings', {}).values():
        total.update(found)
    del total['utf-8']
    if not total:
        return []
    found = ', '.join(f'{n:,} from {name}' for name, n in sorted(total.items()))
    return [f'  converted to UTF-8: {found}']


def _vocabulary_row(info: RecordsInfo) -> str:
    size, steps = info.counts['vocabulary']['characters'], info.counts['steps']['train']
    known = steps - info.counts['vocabulary']['unknown']['train']
    return (
        f'  vocabulary of {size:,} characters: {known:,} of the {steps:,} in train '
        f'({known / steps:.2%})'
    )
