"""Runs and configurations for Python programs: what is taken, and what is refused."""

from pathlib import Path

import pytest

from pipelines.format.errors import LonghaulError
from trainer import loading

FILE = 'gin/model/lstm.gin'


def test_paths_are_taken_as_their_names():
    found = loading.load_config(gin_files=[Path(FILE)], records=Path('some/records'))
    assert found.data.records == 'some/records'


def test_one_file_is_no_list_and_a_list_no_binding():
    with pytest.raises(LonghaulError, match="gin_files='gin/model/lstm.gin': a list is needed"):
        loading.load_config(gin_files=FILE, records='')
    with pytest.raises(LonghaulError, match=r"binding \['BATCH_SIZE=4'\]: texts are needed"):
        loading.load_config(['BATCH_SIZE=4'], gin_files=[FILE], records='')


def test_an_export_needs_a_run(tmp_path):
    with pytest.raises(LonghaulError, match='model_dir=.*: holds no run; train first'):
        loading.export_run(tmp_path)
