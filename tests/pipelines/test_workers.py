"""How many threads decode: all cores of this machine for local runners, one on a cluster."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines import workers

MODE = '--direct_running_mode='


@pytest.mark.parametrize(
    ('flags', 'threads', 'here'),
    [
        (['--runner=FnApiRunner'], 8, True),
        ([], 8, True),
        (['--runner=DirectRunner', f'{MODE}in_memory'], 8, True),
        (['--runner=DirectRunner', f'{MODE}multi_threading', '--direct_num_workers=2'], 4, True),
        (['--runner=DirectRunner', f'{MODE}multi_processing', '--direct_num_workers=3'], 2, False),
        (['--runner=DirectRunner', f'{MODE}multi_processing', '--direct_num_workers=0'], 1, False),
        (['--runner=DirectRunner', f'{MODE}multi_processing', '--direct_num_workers=99'], 1, False),
        (['--runner=DataflowRunner'], 1, False),
        (['--runner=FlinkRunner', '--direct_num_workers=2'], 1, False),
    ],
)
def test_threads_of_a_worker(flags, threads, here, monkeypatch):
    monkeypatch.setattr(workers.os, 'sched_getaffinity', lambda pid: set(range(8)), raising=False)
    options = PipelineOptions(flags)
    assert workers.threads_each(options) == threads
    assert workers.in_this_process(options) == here
