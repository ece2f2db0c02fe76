"""Records at random from prepared files, against TFDS's own reading of them; damaged files."""

import pytest
import tensorflow_datasets as tfds
import tfds_data

from pipelines.format.errors import LonghaulError
from pipelines.job.sources.tfds import record_files

FEATURES = {'text': tfds.features.Text()}
FORMATS = ('tfrecord', 'array_record')


def prepared(tmp_path, file_format, files=3):
    rows = [{'text': f'document {i} ' * (i + 1)} for i in range(20)]
    tfds_data.write_set(
        tmp_path, FEATURES, {'train': rows, 'test': rows[:4]}, files=files, file_format=file_format
    )
    return tfds.builder('weather', data_dir=tmp_path)


def text_of(builder, record):
    return builder.info.features.deserialize_example_np(record)['text']


def truth(builder, file_format):
    """Texts of train in TFDS's order."""
    if file_format == 'array_record':
        return [example['text'] for example in builder.as_data_source('train')]
    config = tfds.ReadConfig(interleave_cycle_length=1)
    examples = builder.as_dataset('train', read_config=config).as_numpy_iterator()
    return [example['text'] for example in examples]


@pytest.mark.parametrize('file_format', FORMATS)
def test_every_record_by_its_place(tmp_path, file_format):
    builder = prepared(tmp_path, file_format)
    expected = truth(builder, file_format)
    assert len(set(expected)) == 20
    files = record_files.list_files(builder, 'train')
    assert [file.first for file in files] == [0, files[0].records, 20 - files[2].records]
    names = {file.name for file in [*files, *record_files.list_files(builder, 'test')]}
    assert len(names) == 6
    for file in files:
        mine = expected[file.first : file.first + file.records]
        found = list(record_files.list_records(builder, file))
        assert [text_of(builder, record) for _, record in found] == mine
        # In any order, one record again and again.
        order = [2, 0, 2, 4, 1]
        places = [found[i][0] for i in order]
        records = record_files.read_records(builder, file, places)
        assert [text_of(builder, record) for record in records] == [mine[i] for i in order]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def changed(data: bytes) -> bytes:
    at = data.rindex(b'document')
    return data[:at] + b'D' + data[at + 1 :]


@pytest.mark.parametrize('damage', [cut, changed, None], ids=['cut', 'changed', 'missing'])
@pytest.mark.parametrize('file_format', FORMATS)
def test_a_damaged_file_is_refused(tmp_path, file_format, damage):
    builder = prepared(tmp_path, file_format, files=1)
    file = record_files.list_files(builder, 'train')[0]
    places = [place for place, _ in record_files.list_records(builder, file)]
    path = tmp_path / 'weather' / '1.0.0' / file.name
    data = path.read_bytes()
    path.unlink()
    if damage:
        path.write_bytes(damage(data))
    for read in (
        lambda: list(record_files.list_records(builder, file)),
        lambda: list(record_files.read_records(builder, file, places)),
    ):
        with pytest.raises(LonghaulError) as caught:
            read()
        assert str(caught.value).startswith(f'--source=tfds: {path} cannot be read (')
        assert str(caught.value).endswith('); remove its folder, and have it prepared again')


def test_another_number_of_records_is_refused(tmp_path):
    builder = prepared(tmp_path, 'tfrecord', files=1)
    file = record_files.list_files(builder, 'train')[0]
    path = tmp_path / 'weather' / '1.0.0' / file.name
    second = [place for place, _ in record_files.list_records(builder, file)][1]
    path.write_bytes(path.read_bytes()[second:])
    with pytest.raises(LonghaulError, match=r' has 19 records, not 20; remove its folder'):
        list(record_files.list_records(builder, file))


def test_other_formats_are_refused(tmp_path):
    builder = prepared(tmp_path, 'tfrecord', files=1)
    record_files.check_format(builder, 'weather')
    path = tmp_path / 'weather' / '1.0.0' / 'dataset_info.json'
    path.write_text(path.read_text().replace('"tfrecord"', '"parquet"'))
    builder = tfds.builder('weather', data_dir=tmp_path)
    with pytest.raises(LonghaulError, match=r'^--source=tfds:weather: .* as parquet; tfrecord and'):
        record_files.check_format(builder, 'weather')
