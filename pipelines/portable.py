"""Jobs on clusters that take them through Beam's job service: Apache Flink, Spark, Prism.

The job server that such a runner starts ends with this command, and the cluster's job does not.
"""

import logging
import re
import signal
import threading
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.runners.runner import PipelineState

from pipelines.format import errors
from pipelines.format.errors import LonghaulError, first_line

_RUNNERS = ('flinkrunner', 'portablerunner', 'prismrunner', 'sparkrunner')
# Beam runs these workers as threads of this process unless it is told otherwise.
_IN_THIS_PROCESS = ('[local]', '[auto]')


def runs_there(beam_options: PipelineOptions) -> bool:
    """Whether the job runs by one of these runners."""
    name = beam_options.view_as(StandardOptions).runner or ''
    return name.rpartition('.')[2].lower() in _RUNNERS


def flag_of(beam_options: PipelineOptions) -> str:
    """The flag that names the runner, for refusals."""
    return f'--runner={beam_options.view_as(StandardOptions).runner}'


def check(beam_options: PipelineOptions) -> None:
    """Refuses a job whose workers lack this package, or whose end nobody would see.

    Raises:
      LonghaulError: for missing flags.
    """
    flag, portable = flag_of(beam_options), beam_options.view_as(PortableOptions)
    if beam_options.view_as(StandardOptions).no_wait_until_finish and not portable.job_endpoint:
        raise LonghaulError(
            f'{flag}: --no_wait_until_finish would end the job server before the cluster has the '
            'job; leave it out, or name a job server that stays (--job_endpoint=HOST:PORT)'
        )
    setup = beam_options.view_as(SetupOptions)
    image = beam_options.view_as(WorkerOptions).sdk_container_image
    holds_it = setup.setup_file or setup.extra_packages or image or portable.environment_config
    if _in_containers(beam_options) and not (holds_it or portable.environment_options):
        raise LonghaulError(
            f'{flag}: its workers need this package; add --environment_type=EXTERNAL '
            '--environment_config=HOST:PORT (a worker pool where it is installed), or '
            '--sdk_container_image=IMAGE that holds it'
        )


def _in_containers(beam_options: PipelineOptions) -> bool:
    """Whether Beam starts the workers in containers."""
    kind = beam_options.view_as(PortableOptions).environment_type
    if kind:
        return kind.upper() == 'DOCKER'
    runner = flag_of(beam_options).rpartition('.')[2].lower()
    master = beam_options.view_as(FlinkRunnerOptions).flink_master
    here = 'flink' in runner and master in _IN_THIS_PROCESS
    return not (here or 'prism' in runner)


def submit(pipeline: beam.Pipeline, beam_options: PipelineOptions) -> Any:
    """Gives a pipeline to a job server, which gives it to the cluster.

    Returns:
      Beam's PipelineResult.

    Raises:
      LonghaulError: if there is no job server, or if it does not take the job.
    """
    # Beam repeats on the root logger what the job server says; its last word is in the refusal.
    logging.getLogger().setLevel(logging.CRITICAL)
    flag, standard = flag_of(beam_options), beam_options.view_as(StandardOptions)
    runner, interrupt = standard.runner, signal.getsignal(signal.SIGINT)
    try:
        return pipeline.run()
    except Exception as error:
        if errors.is_interrupt(error):
            raise
        raise LonghaulError(
            f'{flag}: the job could not be submitted ({type(error).__name__}: {_reason(error)}); '
            'mend the cause and run the same command again'
        ) from error
    finally:
        # Beam takes it away, since Java would look for a class of that name.
        standard.runner = runner
        # Beam's handler would stop the job server, and its loss would be said, not the Ctrl-C.
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)


def wait(result: Any, beam_options: PipelineOptions) -> None:
    """Waits for the end of a job.

    Args:
      result: from `submit`.
      beam_options: of the job.

    Raises:
      LonghaulError: if the job has failed or was cancelled, or the cluster is lost.
      KeyboardInterrupt: with a text that says that the job goes on.
    """
    threading.excepthook = _quiet
    try:
        state = result.wait_until_finish()
        reason = f'State: {state}'
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "no longer waiting; the cluster's job goes on: cancel it there"
        ) from None
    except Exception as error:
        if errors.wrapped(error) is not None:
            raise
        state, reason = None, _reason(error)
    if state != PipelineState.DONE:
        raise LonghaulError(
            f'{flag_of(beam_options)}: the job has not ended well ({reason}); the logs of the '
            'cluster have more: mend the cause and run the same command again'
        )


def _quiet(error: threading.ExceptHookArgs) -> None:
    """Lets Beam's thread of messages die in silence when the job server is gone."""
    if error.thread is None or error.thread.name != 'wait_until_finish_read':
        threading.__excepthook__(error)


def _reason(error: Exception) -> str:
    """What an error says, without the id of the job and a trace of Java."""
    details = getattr(error, 'details', None)
    text = (details() if callable(details) else '') or first_line(error)
    return re.sub(r'^Pipeline \S+ failed in state (\w+): ', r'\1: ', text.splitlines()[0])[:300]
