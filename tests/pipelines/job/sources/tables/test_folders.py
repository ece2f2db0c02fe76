"""Folders of tables: what else lies there is refused or said."""

import json

import pytest
import source_data
from source_data import documents, encode_image, pixels, write_csv

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.files.manifest import make_manifest
from pipelines.job.sources.tables.documents import make_csv, make_json_lines


@pytest.fixture
def folder(tmp_path):
    write_csv(tmp_path / 'train.csv', documents(4))
    return tmp_path


@pytest.mark.parametrize(
    'name', ['test.csv.zip', 'val.csv.zst', 'test.parquet', 'validation.json', 'Dev.XLSX']
)
def test_a_foreign_table_of_a_split_that_is_not_read_is_refused(folder, name):
    (folder / name).write_bytes(b'x')
    write_csv(folder / 'm' / 'train.csv', [['path'], ['a.png']])
    (folder / 'm' / name).write_bytes(b'x')
    for source, make in (('csv', make_csv), ('manifest', make_manifest)):
        path = folder / 'm' if source == 'manifest' else folder
        with pytest.raises(LonghaulError) as caught:
            make(str(path)).groups()
        assert str(caught.value).startswith(
            f'--source={source}:{path}: holds {name} beside train.csv, which says no split that is '
        )


def test_other_files_are_said(folder):
    files = ('train.csv.zip', 'train.parquet', 'README.md', '.DS_Store', 'test.py')
    source_data.write_folder(folder, dict.fromkeys(files, b'x'))
    assert make_csv(str(folder)).told() == [
        'read as splits: train from train.csv',
        'not read: README.md, test.py, train.csv.zip, train.parquet',
    ]
    assert make_csv(str(folder / 'train.csv')).told() == []


def test_a_manifest_says_what_is_named_like_a_split(tmp_path):
    write_csv(tmp_path / 'train.csv', [['path'], ['a.png']])
    files = ('a.png', 'test/b.png', 'train.csv.zip', 'test.md', 'README.md')
    source_data.write_folder(tmp_path, dict.fromkeys(files, encode_image(pixels(0))))
    assert make_manifest(str(tmp_path)).told() == [
        'read as splits: train from train.csv',
        'not read: test.md, train.csv.zip',
    ]


def test_a_later_row_with_a_split_is_rejected(tmp_path):
    lines = [{'text': 'a', 'label': 'x'}, {'text': 'b', 'label': 'y', 'split': 'test'}]
    path = tmp_path / 't.jsonl'
    path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    source = make_json_lines(str(path))
    items = list(source.items(source.groups()[0]))
    assert [item.label for item in items] == ['x', None]
    found = list(source.read(str(path), items))
    assert found[0].content == b'a'
    assert found[1].reason == 'the row has a split, and the first one has none'


def test_a_column_of_splits_in_a_folder_is_refused(tmp_path):
    write_csv(tmp_path / 'train.csv', [['text', 'label'], ['a', 'x']])
    write_csv(tmp_path / 'test.csv', [['text', 'label', 'Split'], ['a', 'x', 'train']])
    (tmp_path / 'j').mkdir()
    (tmp_path / 'j' / 'train.jsonl').write_text(json.dumps({'text': 'a', 'split': 'test'}) + '\n')
    with pytest.raises(LonghaulError) as caught:
        make_csv(str(tmp_path)).groups()
    assert str(caught.value) == (
        f'--source=csv:{tmp_path}: a table in a folder has its split from its name, and test.csv '
        "has a column 'Split' as well; drop the column, or rename it"
    )
    with pytest.raises(LonghaulError, match="and train.jsonl has a column 'split' as well; drop"):
        make_json_lines(str(tmp_path / 'j')).groups()
