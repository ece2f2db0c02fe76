"""Clusters behind a job server, without one: what is refused, and how a job's end reads."""

import threading

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.runner import PipelineState
from source_data import refusal

from pipelines import portable
from pipelines.format.errors import LonghaulError

FLINK = ('--runner=FlinkRunner', '--flink_master=host:8081')
POOL = ('--environment_type=EXTERNAL', '--environment_config=host:50000')
NEXT = 'the logs of the cluster have more: mend the cause and run the same command again'


class Result:
    """A job that ends as it is told."""

    def __init__(self, end: str | BaseException) -> None:
        self._end = end

    def wait_until_finish(self) -> str:
        if isinstance(self._end, BaseException):
            raise self._end
        return self._end


class LostError(Exception):
    """As gRPC's errors are."""

    def details(self) -> str:
        return 'Socket closed'


@pytest.mark.parametrize(
    'flags',
    [FLINK, (*FLINK, '--environment_type=docker'), ('--runner=SparkRunner',)],
)
def test_workers_need_the_package(capsys, tmp_path, flags):
    output = tmp_path / 'out'
    message = refusal(capsys, '--source=builtin:stdlib', f'--output={output}', *flags)
    assert message == (
        f'{flags[0]}: its workers need this package; add --environment_type=EXTERNAL '
        '--environment_config=HOST:PORT (a worker pool where it is installed), or '
        '--sdk_container_image=IMAGE that holds it'
    )
    assert not output.exists()


@pytest.mark.parametrize(
    'flags',
    [
        (*FLINK, *POOL),
        (*FLINK, '--sdk_container_image=image'),
        (*FLINK, '--setup_file=./setup.py'),
        ('--runner=FlinkRunner',),
        ('--runner=PrismRunner',),
    ],
)
def test_workers_that_have_it_are_taken(flags):
    portable.check(PipelineOptions(list(flags)))


def test_a_job_server_of_the_command_must_be_waited_for(capsys, tmp_path):
    flags = (*FLINK, *POOL, '--no_wait_until_finish', f'--output={tmp_path / "out"}')
    message = refusal(capsys, '--source=builtin:stdlib', *flags)
    assert message.startswith('--runner=FlinkRunner: --no_wait_until_finish would end the job ')
    stays = PipelineOptions([*POOL, '--runner=PortableRunner', '--job_endpoint=host:8099'])
    portable.check(stays)


@pytest.mark.parametrize(
    ('end', 'reason'),
    [
        (RuntimeError('Pipeline job_1 failed in state FAILED: gone\n\tat X.java'), 'FAILED: gone'),
        (LostError(), 'Socket closed'),
        (PipelineState.CANCELLED, 'State: CANCELLED'),
    ],
)
def test_a_job_that_did_not_end_well_is_one_line(monkeypatch, end, reason):
    monkeypatch.setattr(threading, 'excepthook', threading.excepthook)
    with pytest.raises(LonghaulError) as found:
        portable.wait(Result(end), PipelineOptions([*FLINK]))
    assert (
        str(found.value) == f'--runner=FlinkRunner: the job has not ended well ({reason}); {NEXT}'
    )
