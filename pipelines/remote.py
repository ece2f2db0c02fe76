"""Jobs on clusters: checks before the start, the submission, and the wait for the end.

Dataflow is here, what takes jobs through a job server in `portable`.

A worker of Dataflow takes minutes to start, and shares neither a disk nor code with this machine.
So a job that cannot work there is refused here.
"""

import os
import re
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    SetupOptions,
    StandardOptions,
    TestOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineRunner, PipelineState

from pipelines import output, portable
from pipelines.format import errors
from pipelines.format.errors import LonghaulError
from pipelines.options import JobOptions

_DATAFLOW = '--runner=DataflowRunner'


def check(options: JobOptions, beam_options: PipelineOptions) -> None:
    """Refuses a job that the workers of a cluster cannot do. Local jobs are not checked.

    Raises:
      LonghaulError: for a missing flag or workers without this package; on Dataflow for an output
        or a source on this machine's disk too.
    """
    if portable.runs_there(beam_options):
        portable.check(beam_options)
    if not _is_dataflow(beam_options):
        return
    google = _google(beam_options)
    for flag, example in (
        ('project', 'PROJECT'),
        ('region', 'europe-west4'),
        ('temp_location', 'gs://BUCKET/temp'),
    ):
        if not getattr(google, flag):
            raise LonghaulError(f'{_DATAFLOW}: --{flag} is missing; add --{flag}={example}')
    if beam_options.view_as(TestOptions).dry_run or google.template_location:
        raise LonghaulError(
            f'{_DATAFLOW}: the job is submitted by this command or not at all; leave --dry_run and '
            '--template_location out'
        )
    if '://' not in options.output:
        raise LonghaulError(
            f'--output={options.output}: lies on this machine, and {_DATAFLOW} has workers '
            'elsewhere; name a folder in a bucket, such as gs://BUCKET/NAME'
        )
    setup = beam_options.view_as(SetupOptions)
    image = beam_options.view_as(WorkerOptions).sdk_container_image
    if setup.setup_file and not os.path.dirname(setup.setup_file):
        # Beam changes into the folder of the file, and a bare name has none.
        setup.setup_file = os.path.join('.', setup.setup_file)
    if not (setup.setup_file or setup.extra_packages or image):
        raise LonghaulError(
            f'{_DATAFLOW}: its workers need this package; add --setup_file=./setup.py (in a '
            'checkout), --extra_package=WHEEL, or --sdk_container_image=IMAGE that holds it'
        )
    kind, _, place = options.source.partition(':')
    if kind != 'builtin' and '://' not in place and not image:
        raise LonghaulError(
            f'--source={options.source}: lies on this machine, and {_DATAFLOW} has workers '
            'elsewhere; put it into their image, at the same path (--sdk_container_image=IMAGE), '
            'or leave --runner out'
        )


def make_pipeline(runner: PipelineRunner, beam_options: PipelineOptions) -> beam.Pipeline:
    """Makes an empty pipeline, and gives Beam's file systems its credentials.

    Raises:
      LonghaulError: for options that Beam refuses, or a --temp_location that cannot be written to.
    """
    try:
        pipeline = beam.Pipeline(runner=runner, options=beam_options)
    except ValueError as error:
        raise LonghaulError(f'{error}; see docs/clusters.md for the whole command') from error
    if _is_dataflow(beam_options):
        # Beam itself would try to write there for minutes.
        output.require_writable('temp_location', _google(beam_options).temp_location)
    return pipeline


def submit(pipeline: beam.Pipeline, beam_options: PipelineOptions) -> Any:
    """Starts a pipeline. A local runner runs it before this function returns.

    Returns:
      Beam's PipelineResult.

    Raises:
      LonghaulError: if a cluster does not accept the job.
    """
    if portable.runs_there(beam_options):
        return portable.submit(pipeline, beam_options)
    if not _is_dataflow(beam_options):
        return pipeline.run()
    try:
        result = pipeline.run()
    except Exception as error:
        raise LonghaulError(
            f'{_DATAFLOW}: the job could not be submitted ({type(error).__name__}: '
            f'{_last_line(error)}); mend the cause and run the same command again'
        ) from error
    print(f'{_name(result, beam_options)} is submitted', flush=True)
    return result


def wait(result: Any, beam_options: PipelineOptions) -> bool:
    """Waits for the end of a job, unless --no_wait_until_finish is given.

    Args:
      result: from `submit`.
      beam_options: of the job.

    Returns:
      True if the job has succeeded; False if it still runs.

    Raises:
      LonghaulError: if the job has failed or was cancelled.
      KeyboardInterrupt: with a text that says how to stop the job, which goes on.
    """
    if beam_options.view_as(StandardOptions).no_wait_until_finish:
        return result.state == PipelineState.DONE
    if portable.runs_there(beam_options):
        portable.wait(result, beam_options)
        return True
    if not _is_dataflow(beam_options):
        result.wait_until_finish()
        return True
    name = _name(result, beam_options)
    try:
        state = result.wait_until_finish()
        reason = f'State: {state}'
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f'no longer waiting; {name} goes on: cancel it there') from None
    except Exception as error:
        if errors.wrapped(error) is not None:
            raise
        state, reason = None, _last_line(error)
    if state != PipelineState.DONE:
        raise LonghaulError(
            f'{_DATAFLOW}: {name} has not ended well ({reason}); its page has the whole log: mend '
            'the cause and run the same command again'
        )
    return True


def _is_dataflow(beam_options: PipelineOptions) -> bool:
    name = beam_options.view_as(StandardOptions).runner or ''
    return name.rpartition('.')[2].lower() in ('dataflowrunner', 'dataflow')


def _google(beam_options: PipelineOptions) -> GoogleCloudOptions:
    return beam_options.view_as(GoogleCloudOptions)


def _name(result: Any, beam_options: PipelineOptions) -> str:
    """The id of the job and the address of its page."""
    google = _google(beam_options)
    page = f'https://console.cloud.google.com/dataflow/jobs/{google.region}/{result.job_id()}'
    return f'job {result.job_id()} ({page}?project={google.project})'


def _last_line(error: Exception) -> str:
    """The last line of an error's text: a traceback has its message there."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip() not in ('', 'None')]
    return re.sub(r',? Error:$', '', lines[-1]) if lines else type(error).__name__
