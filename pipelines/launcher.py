"""Runs the job: prepares the output folder, runs the Beam graph, prints a summary."""

import logging
import sys
import time
from collections import Counter

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.runner import PipelineRunner, create_runner

from pipelines import options as job_options
from pipelines import output, remote, workers
from pipelines.format import errors
from pipelines.format.errors import LonghaulError, printable
from pipelines.format.records import RecordsInfo
from pipelines.job.graph import build
from pipelines.job.mark import mark_of
from pipelines.job.plan import Plan, make_plan
from pipelines.options import JobOptions
from pipelines.progress import Progress

# A local runner holds the packed names of all items in memory, see docs/job.md.
_MANY_ITEMS = 10_000_000


def main(argv: list[str]) -> int:
    """Runs the job; returns the exit code: 0, 2 for a refusal, 130 when interrupted."""
    # Beam would log every error of a worker. The error is raised here too, and printed once.
    logging.getLogger('apache_beam').setLevel(logging.CRITICAL)
    try:
        options, beam_options = job_options.parse(argv)
        started = time.monotonic()
        info, told = run(options, beam_options)
    except LonghaulError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        unfinished = 'stopped; the output is unfinished: run the same command again'
        print(str(stop) or unfinished, file=sys.stderr)
        return 130
    if info is None:
        print(f'not waiting for its end: {options.output} is finished when it holds records.json')
        return 0
    print(_summary(info, told, options.output, time.monotonic() - started))
    return 0


def run(options: JobOptions, beam_options: PipelineOptions) -> tuple[RecordsInfo | None, list[str]]:
    """Runs the job to its end.

    Args:
      options: of the job.
      beam_options: Beam's own options, such as the runner.

    Returns:
      (the description of the finished data set, or None if the job still runs and is not waited
      for; what the source has taken for what, see `Source.told`).

    Raises:
      LonghaulError: for any error that the user can put right.
    """
    # A manifest is read before a pipeline sets these options.
    FileSystems.set_options(beam_options)
    remote.check(options, beam_options)
    plan = make_plan(options)
    pipeline = remote.make_pipeline(_make_runner(beam_options), beam_options)
    threads = workers.threads_each(beam_options)
    # A process that serves a runner must not fork.
    forks = workers.in_this_process(beam_options)
    build(pipeline, plan, threads, processes=threads if forks else 1)
    mark = mark_of(plan.job, plan.splits, plan.shards)
    # Before the records are written: the source may be gone when they are finished.
    told = plan.source.told()
    with output.held(options.output):
        output.prepare(options.output, mark, overwrite=options.overwrite)
        if not _finish(pipeline, plan, beam_options):
            return None, []
        return output.read_info(options.output), told


def _finish(pipeline: beam.Pipeline, plan: Plan, beam_options: PipelineOptions) -> bool:
    """Runs a pipeline; returns whether it has ended, and not only begun."""
    try:
        with _progress(plan, beam_options):
            result = remote.submit(pipeline, beam_options)
            return remote.wait(result, beam_options)
    except Exception as error:
        if errors.is_interrupt(error):
            raise KeyboardInterrupt from None
        ours = errors.wrapped(error)
        if ours is None:
            raise
        raise ours from None


def _progress(plan: Plan, beam_options: PipelineOptions) -> Progress:
    here = workers.in_this_process(beam_options)
    return Progress(
        plan.options.output,
        shards=plan.shards * len(plan.splits),
        in_this_process=here,
        many_items=_MANY_ITEMS if here else None,
    )


def _make_runner(beam_options: PipelineOptions) -> PipelineRunner:
    name = beam_options.view_as(StandardOptions).runner
    try:
        return create_runner(name)
    except (ValueError, ImportError, AttributeError) as error:
        raise LonghaulError(
            f'--runner={name}: Beam has no such runner ({error}); leave the flag out to run here, '
            'or name one such as DirectRunner or DataflowRunner'
        ) from error


def _summary(info: RecordsInfo, told: list[str], folder: str, seconds: float) -> str:
    rows = [f'  {printable(line)}' for line in told]
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
    bad = info.counts['rejected']
    if bad:
        rows.append(f'  {bad:,} item{"s" if bad > 1 else ""} rejected: see rejected-*.jsonl')
    length = info.spec.fixed_length
    what = f'{length} steps each' if length else 'of different length'
    names = info.class_names
    if len(names) == 1:
        rows.append(f'  all are of one class, {printable(names[0])}: nothing to tell apart')
    head = f'{len(names)} class{"es" if len(names) != 1 else ""}, {what}, '
    head += f'segments of {info.segment_steps}'
    return '\n'.join([f'{head}, in {seconds:.0f} s:', *rows, f'records: {folder}'])


def _encodings_row(info: RecordsInfo) -> list[str]:
    """The line of the summary about converted texts; none without such texts."""
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
