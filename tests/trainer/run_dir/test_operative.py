"""A run's own operative.gin gives values and runs no code."""

import pytest
import small_data
from whole_runs import execute

from pipelines.format.errors import LonghaulError
from trainer import bindings
from trainer.run_dir import operative

FINE = """
# Macros:
BATCH_SIZE = 7
# Parameters for DataConfig:
DataConfig.batch_size = %BATCH_SIZE
trainer.config.RunConfig.seed = 3
DataConfig.records = \\
    'somewhere'
ModelConfig:
  hidden_units = 5
"""


@pytest.mark.parametrize(
    ('line', 'words'),
    [
        ('from __gin__ import dynamic_registration', 'imports __gin__.dynamic_registration'),
        ('import os', 'imports os'),
        ("include 'other.gin'", 'includes other.gin'),
        ("DataConfig.records = @os.system()\nos.system.command = 'true'", 'refers to @os.system'),
        ('SIDE = [1, {2: @os.abort()}]', 'refers to @os.abort'),
        ('ModelConfig:\n  hidden_units = @f', 'refers to @f'),
        ('os.system.command = 5', 'binds os.system.command'),
        ('os.system:\n  command = 5', 'binds os.system.command'),
        ('RunConfig.seed = (', 'multi-line'),
        ('RunConfig.seed', 'statement'),
    ],
)
def test_what_is_no_value_is_refused(tmp_path, line, words):
    path = tmp_path / 'operative.gin'
    path.write_text(f'{FINE}{line}\n')
    with pytest.raises(LonghaulError, match=r'operative\.gin: .*--gin_file') as caught:
        operative.check_values(str(path))
    assert words in str(caught.value)


@pytest.mark.parametrize('mode', ['export', 'eval', 'train'])
def test_no_command_runs_the_code_of_a_folder(tmp_path, capsys, mode):
    (tmp_path / 'operative.gin').write_text(
        'from __gin__ import dynamic_registration\nimport pathlib\nimport trainer.config\n'
        'trainer.config.DataConfig.records = @pathlib.Path.touch()\n'
        f"pathlib.Path.touch.self = @pathlib.Path()\npathlib.Path.args = ['{tmp_path}/ran']\n"
    )
    assert execute(None, tmp_path, mode) == 2
    assert 'imports __gin__.dynamic_registration' in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ['operative.gin']


def test_what_a_run_writes_is_read(tmp_path):
    import gin

    bindings.load(gin_files=[], gin_params=small_data.TINY_RUN, records='here')
    for text in (gin.operative_config_str(), gin.config_str(), FINE):
        path = tmp_path / 'operative.gin'
        path.write_text(text)
        operative.check_values(str(path))
        bindings.load(gin_files=[str(path)], gin_params=[])


def test_a_gin_file_that_cannot_be_read_is_refused_in_one_line(tmp_path):
    for text in ('RunConfig.seed = (', 'import nothing_of_this_name', '(' * 300):
        path = tmp_path / 'own.gin'
        path.write_text(text + '\n')
        with pytest.raises(LonghaulError, match='gin'):
            bindings.load(gin_files=[str(path)], gin_params=[])
