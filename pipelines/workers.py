"""Tells where the workers of a job run, and how many threads of a worker decode."""

import os

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions

_LOCAL = ('', 'directrunner', 'fnapirunner', 'bundlebaseddirectrunner')


def runs_here(beam_options: PipelineOptions) -> bool:
    """Whether the job runs by one of Beam's local runners."""
    name = beam_options.view_as(StandardOptions).runner or ''
    return name.rpartition('.')[2].lower() in _LOCAL


def in_this_process(beam_options: PipelineOptions) -> bool:
    """Whether the workers are threads of this process."""
    mode = beam_options.view_as(DirectOptions).direct_running_mode
    return runs_here(beam_options) and mode != 'multi_processing'


def threads_each(beam_options: PipelineOptions) -> int:
    """The number of threads of a worker that decode.

    A local runner divides the cores of this machine among its workers. On a cluster it is one
    thread, since runners start a worker for each core there.
    """
    if not runs_here(beam_options):
        return 1
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )
    # With 0 workers, Beam starts one for each core.
    workers = beam_options.view_as(DirectOptions).direct_num_workers or cores
    return max(1, cores // workers)
