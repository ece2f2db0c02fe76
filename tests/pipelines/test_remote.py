"""What Dataflow's workers could not do is refused before anything starts; without Google's code."""

import pytest
import source_data
from source_data import refusal

NEEDED = {
    '--source': 'builtin:stdlib',
    '--output': 'gs://bucket/records',
    '--runner': 'DataflowRunner',
    '--project': 'a-project',
    '--region': 'europe-west4',
    '--temp_location': 'gs://bucket/temp',
    '--setup_file': './setup.py',
}


def command(**changed: str | None) -> list[str]:
    values = NEEDED | {f'--{name}': value for name, value in changed.items()}
    return [f'{name}={value}' for name, value in values.items() if value is not None]


@pytest.mark.parametrize('flag', ['project', 'region', 'temp_location'])
def test_a_missing_flag_is_named(capsys, flag):
    message = refusal(capsys, *command(**{flag: None}))
    assert message.startswith(f'--runner=DataflowRunner: --{flag} is missing; add --{flag}=')


@pytest.mark.parametrize('runner', ['DataflowRunner', 'dataflowrunner', 'dataflow'])
def test_workers_need_the_package(capsys, runner):
    message = refusal(capsys, *command(setup_file=None, runner=runner))
    assert message == (
        '--runner=DataflowRunner: its workers need this package; add --setup_file=./setup.py (in a '
        'checkout), --extra_package=WHEEL, or --sdk_container_image=IMAGE that holds it'
    )


def test_an_output_on_this_machine_is_refused(capsys, tmp_path):
    message = refusal(capsys, *command(output=str(tmp_path / 'out')))
    assert message.startswith(f'--output={tmp_path / "out"}: lies on this machine, and ')
    assert message.endswith('; name a folder in a bucket, such as gs://BUCKET/NAME')
    assert not (tmp_path / 'out').exists()


def test_a_source_on_this_machine_is_refused(capsys, tmp_path):
    """Unless it may lie in the workers' image; then the next thing that is wrong is named."""
    table = source_data.write_csv(tmp_path / 't.csv', source_data.documents())
    message = refusal(capsys, *command(source=f'csv:{table}'))
    assert message.startswith(f'--source=csv:{table}: lies on this machine, and ')
    message = refusal(capsys, *command(source='tfds:mnist'))
    assert message.startswith('--source=tfds:mnist: lies on this machine, and ')
    image = command(source=f'csv:{tmp_path}/none.csv', sdk_container_image='image')
    assert 'lies on this machine' not in refusal(capsys, *image)


@pytest.mark.parametrize('flag', ['--dry_run=True', '--template_location=gs://bucket/template'])
def test_what_would_write_no_records_is_refused(capsys, flag):
    message = refusal(capsys, *command(), flag)
    assert message.endswith('; leave --dry_run and --template_location out')


def test_a_local_runner_needs_none_of_it(tmp_path):
    table = source_data.write_csv(tmp_path / 't.csv', source_data.documents())
    flags = (f'--source=csv:{table}', '--auxiliary_steps=5', f'--output={tmp_path / "out"}')
    assert source_data.run_job(*flags, '--no_wait_until_finish') == 0
    assert (tmp_path / 'out' / 'records.json').exists()
