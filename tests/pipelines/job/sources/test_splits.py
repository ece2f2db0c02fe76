"""Which folders hold splits."""

import pytest

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group
from pipelines.job.sources.splits import find_splits


def test_finds_each_split_in_any_form(tmp_path):
    (tmp_path / 'train').mkdir()
    (tmp_path / 'test.zip').write_bytes(b'')
    (tmp_path / 'validation').mkdir()
    (tmp_path / 'other').mkdir()
    found = find_splits('images:x', str(tmp_path), ('', '.zip'))
    assert found == [
        Group(str(tmp_path / 'train'), 'train'),
        Group(str(tmp_path / 'validation'), 'validation'),
        Group(str(tmp_path / 'test.zip'), 'test'),
    ]
    assert find_splits('images:x', str(tmp_path / 'train'), ('', '.zip')) == []


def test_refuses_one_split_twice(tmp_path):
    for name in ('train.csv', 'train.csv.gz', 'test.csv'):
        (tmp_path / name).write_bytes(b'')
    with pytest.raises(LonghaulError, match='^--source=csv:x: holds train.csv, train.csv.gz, test'):
        find_splits('csv:x', str(tmp_path), ('.csv', '.csv.gz'))
