"""A job on Dataflow as far as one comes without Google: staged and submitted, then run elsewhere.

The endpoint is a fake and the storage an emulator, both on loopback; what they get is real.
"""

import io
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import apache_beam as beam
import cloud
import environments
import pytest
import source_data
from environments import ROOT
from source_data import refusal, run_job

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(cloud.WHY_NOT), reason=cloud.WHY_NOT),
]

OUTPUT = f'gs://{cloud.BUCKET}/records/stdlib'
# A source that every worker has; characters, so that both passes run.
JOB = (
    '--source=builtin:stdlib',
    '--limit=20',
    '--max_steps=700',
    '--shards=2',
    '--tokens=characters',
    '--auxiliary_steps=50',
)

NEXT = 'its page has the whole log: mend the cause and run the same command again'

# What a worker of Dataflow does once its container has installed what was staged.
WORKER = """
from apache_beam.internal.gcp import auth
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

auth._Credentials._credentials_init = True
with open('pipeline.pb', 'rb') as file:
    pipeline = beam_runner_api_pb2.Pipeline.FromString(file.read())
for environment in pipeline.components.environments.values():
    environment.urn, environment.payload = 'beam:env:embedded_python:v1', b''
    del environment.dependencies[:]
options = PipelineOptions([])
FileSystems.set_options(options)
FnApiRunner().run_via_runner_api(pipeline, options).wait_until_finish()
"""


@pytest.fixture(scope='module')
def address():
    with cloud.storage() as found:
        yield found


@pytest.fixture(scope='module')
def dataflow():
    with cloud.FakeDataflow() as fake:
        yield fake


@pytest.fixture
def quick(monkeypatch, address):
    """No search for credentials, no waits between two questions."""
    from apache_beam.internal.gcp import auth
    from apache_beam.runners.dataflow import dataflow_runner

    monkeypatch.setenv('STORAGE_EMULATOR_HOST', address)
    monkeypatch.setattr(auth._Credentials, '_credentials_init', True)
    clock = dataflow_runner.time
    impatient = SimpleNamespace(time=clock.time, sleep=lambda seconds: clock.sleep(seconds / 1e3))
    monkeypatch.setattr(dataflow_runner, 'time', impatient)
    monkeypatch.chdir(ROOT)


def flags(dataflow: cloud.FakeDataflow, output: str = OUTPUT) -> list[str]:
    """The command of docs/clusters.md, with the endpoint on loopback."""
    return [
        *JOB,
        f'--output={output}',
        '--runner=DataflowRunner',
        '--project=a-project',
        '--region=europe-west4',
        f'--temp_location=gs://{cloud.BUCKET}/temp',
        '--setup_file=./setup.py',
        f'--dataflow_endpoint={dataflow.address}',
        '--no_auth',
    ]


@pytest.fixture(scope='module')
def submitted(address, dataflow) -> subprocess.CompletedProcess[str]:
    command = ['-m', 'pipelines.main', *flags(dataflow), '--no_wait_until_finish']
    env = {'STORAGE_EMULATOR_HOST': address, 'NO_GCE_CHECK': 'true'}
    dataflow.state = 'JOB_STATE_RUNNING'
    return environments.run(sys.executable, *command, cwd=ROOT, env=env)


@pytest.fixture(scope='module')
def staged(submitted, dataflow, address) -> dict[str, bytes]:
    """What was staged for the job: name -> bytes."""
    assert submitted.returncode == 0, submitted.stderr
    pool = dataflow.jobs[0]['environment']['workerPools'][0]
    found = cloud.objects(address, '')
    where = f'storage.googleapis.com/{cloud.BUCKET}/'
    names = {p['name']: p['location'].removeprefix(where) for p in pool['packages']}
    options = dataflow.jobs[0]['environment']['sdkPipelineOptions']['options']
    names['pipeline.pb'] = options['pipelineUrl'].removeprefix(f'gs://{cloud.BUCKET}/')
    return {name: found[place] for name, place in names.items()}


def test_the_command_submits_one_job_and_says_where_it_is(submitted, dataflow):
    assert submitted.returncode == 0, submitted.stderr
    page = 'https://console.cloud.google.com/dataflow/jobs/europe-west4/job-1?project=a-project'
    assert submitted.stdout.splitlines() == [
        f'job job-1 ({page}) is submitted',
        f'not waiting for its end: {OUTPUT} is finished when it holds records.json',
    ]
    assert 'Traceback' not in submitted.stderr


def test_the_job_names_what_was_staged_and_runs_our_python(staged, dataflow):
    # Beam adds a list of this machine's packages where it can make one.
    assert {'workflow.tar.gz', 'pipeline.pb'} <= set(staged)
    job = dataflow.jobs[0]
    assert len(dataflow.jobs) == 1
    assert job['type'] in (1, 'JOB_TYPE_BATCH')
    version = '.'.join(map(str, sys.version_info[:2]))
    image = job['environment']['workerPools'][0]['workerHarnessContainerImage']
    assert f'/beam_python{version}_sdk:{beam.__version__}' in image
    with tarfile.open(fileobj=io.BytesIO(staged['workflow.tar.gz'])) as sdist:
        names = {name.partition('/')[2] for name in sdist.getnames()}
    packages = ('pipelines', 'trainer', 'tools')
    ours = {str(p.relative_to(ROOT)) for top in packages for p in (ROOT / top).rglob('*.py')}
    assert ours | {'setup.py'} <= names


def test_the_pipeline_runs_where_only_the_staged_files_are(staged, address, tmp_path):
    """The same bytes as a job on this machine; without the package, nothing."""
    place = source_data.write_folder(tmp_path / 'worker', staged)
    (place / 'worker.py').write_text(WORKER)
    # Beam's image holds apache-beam[gcp]; all else comes with the package.
    python = environments.make(tmp_path / 'venv', 'apache-beam[gcp]', f'{place}/workflow.tar.gz')
    env = {'STORAGE_EMULATOR_HOST': address}
    assert not cloud.objects(address, 'records/')
    with_it = environments.run(python, 'worker.py', cwd=place, env=env)
    assert with_it.returncode == 0, with_it.stderr
    assert run_job(*JOB, f'--output={tmp_path / "local"}') == 0
    written = cloud.objects(address, 'records/stdlib/')
    assert written == source_data.contents(tmp_path / 'local')
    assert 'records.json' in written
    environments.uninstall(python, 'longhaul')
    without = environments.run(python, 'worker.py', cwd=place, env=env)
    assert without.returncode != 0
    assert "ModuleNotFoundError: No module named 'pipelines'" in without.stderr


@pytest.mark.parametrize(
    ('state', 'said', 'expected'),
    [
        (
            'FAILED',
            'Traceback (most recent call last):\n  File "x.py", line 1\nOSError: no space left',
            f'--runner=DataflowRunner: job JOB has not ended well (OSError: no space left); {NEXT}',
        ),
        (
            'FAILED',
            'pipelines.format.errors.LonghaulError: 4 of 28 items cannot be used; mend the items '
            "[while running 'Finish-ptransform-12']",
            '4 of 28 items cannot be used; mend the items',
        ),
        (
            'CANCELLED',
            '',
            '--runner=DataflowRunner: job JOB has not ended well (Dataflow pipeline failed. State: '
            f'CANCELLED); {NEXT}',
        ),
        (
            'DONE',
            '',
            'the job has ended, and this machine sees no records.json there; name a folder that '
            'all workers and this machine share, such as gs://BUCKET/NAME',
        ),
    ],
)
def test_a_job_that_did_not_end_well_is_one_line(quick, dataflow, capsys, state, said, expected):
    output = f'gs://{cloud.BUCKET}/{state}'
    dataflow.state, dataflow.message = f'JOB_STATE_{state}', said
    message = refusal(capsys, *flags(dataflow, output))
    job = f'job-{len(dataflow.jobs)}'
    page = f'https://console.cloud.google.com/dataflow/jobs/europe-west4/{job}?project=a-project'
    expected = expected.replace('JOB', f'{job} ({page})')
    assert message == (f'--output={output}: {expected}' if state == 'DONE' else expected)


def test_ctrl_c_leaves_the_job_and_says_so(quick, dataflow, capsys, monkeypatch):
    from apache_beam.runners.dataflow.dataflow_runner import DataflowPipelineResult

    def stop(result):
        raise KeyboardInterrupt

    dataflow.state = 'JOB_STATE_RUNNING'
    monkeypatch.setattr(DataflowPipelineResult, 'wait_until_finish', stop)
    assert run_job(*flags(dataflow, f'gs://{cloud.BUCKET}/stopped')) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(f'no longer waiting; job job-{len(dataflow.jobs)} (https://')
    assert last.endswith(' goes on: cancel it there')


def test_what_dataflow_does_not_take_is_one_line(quick, dataflow, capsys, monkeypatch):
    monkeypatch.setattr(dataflow, 'refusal', 'The caller may not dataflow.jobs.create')
    message = refusal(capsys, *flags(dataflow, f'gs://{cloud.BUCKET}/refused'))
    assert message.startswith(
        '--runner=DataflowRunner: the job could not be submitted (Forbidden: 403 '
    )
    assert 'The caller may not dataflow.jobs.create' in message
    assert message.endswith('; mend the cause and run the same command again')


def test_finished_records_outlive_a_command_that_cannot_run(quick, address, dataflow, capsys):
    cloud.put(address, 'kept/records.json', b'finished')
    line = [f for f in flags(dataflow, f'gs://{cloud.BUCKET}/kept') if 'temp_loc' not in f]
    message = refusal(capsys, *line, '--overwrite', '--temp_location=gs://no-such-bucket/temp')
    assert message.startswith('--temp_location=gs://no-such-bucket/temp: cannot be written to (')
    assert cloud.objects(address, 'kept/') == {'records.json': b'finished'}


def test_a_local_job_writes_to_gs(quick, address, tmp_path, capsys):
    output = f'gs://{cloud.BUCKET}/from here'
    command = (*JOB, f'--output={output}', '--no_auth')
    assert run_job(*JOB, f'--output={tmp_path / "local"}') == 0
    local = source_data.contents(tmp_path / 'local')
    assert run_job(*command, '--shards=3') == 0
    before = cloud.objects(address, 'from here/')
    assert len(before) == 20
    cloud.put(address, 'from here/notes.txt', b'mine')
    cloud.put(address, 'from here/below/a.partial', b'mine too')
    strangers = {'below/a.partial': b'mine too', 'notes.txt': b'mine'}
    message = refusal(capsys, *command)
    assert message.startswith(f'--output={output}: holds finished records; add --overwrite')
    assert cloud.objects(address, 'from here/') == before | strangers
    assert run_job(*command, '--overwrite') == 0
    # Nothing of the three shards is left, and nobody else's files are gone.
    assert cloud.objects(address, 'from here/') == local | strangers
    assert capsys.readouterr().out.endswith(f'records: {output}\n')


def test_a_bucket_that_is_not_there_is_refused(quick, capsys):
    message = refusal(capsys, *JOB, '--output=gs://no-such-bucket/records', '--no_auth')
    assert message.startswith('--output=gs://no-such-bucket/records: cannot be written to (')
    assert message.endswith('; name a folder that you may write to')
