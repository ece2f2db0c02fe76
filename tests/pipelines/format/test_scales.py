"""Variance and entropy that the job writes and the trainer reads, against numpy's."""

import dataclasses
import json

import numpy as np
import pytest
import source_data
from exports import npy
from source_data import run_job

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from pipelines.format.scales import ValueScales, read_scales

FLAGS = ('--auxiliary_steps=5', '--segment_steps=6', '--validation_share=0.3', '--shards=3')
JOBS = {
    'image': ('images', '--image_size=4', '--trailing_steps=9', '--trailing=noise'),
    'bytes': ('csv',),
    'characters': ('csv', '--tokens=characters', '--vocabulary_size=6'),
    'uint8': ('npy',),
    'float16': ('npy',),
}


@pytest.fixture(scope='module')
def folders(tmp_path_factory):
    """Records of each kind."""
    root = tmp_path_factory.mktemp('scales')
    source_data.write_folder(root / 'image', source_data.picture_files(20))
    for kind in ('bytes', 'characters'):
        source_data.write_csv(root / kind, source_data.documents(20))
    random = np.random.RandomState(0)
    for dtype in ('uint8', 'float16'):
        arrays = {f'{i}.npy': (random.rand(i + 2, 2) * 90).astype(dtype) for i in range(20)}
        for array in arrays.values():
            array[:, 1] = 3  # A channel that never changes.
        files = {name: npy(array) for name, array in arrays.items()}
        source_data.write_folder(root / dtype, files)
        rows = [['file', 'label'], *([name, 'a'] for name in arrays)]
        source_data.write_csv(root / dtype / 'labels.csv', rows)
    for kind, (source, *flags) in JOBS.items():
        output = f'--output={root / "records" / kind}'
        assert run_job(f'--source={source}:{root / kind}', output, *FLAGS, *flags) == 0
    return {kind: str(root / 'records' / kind) for kind in JOBS}


def stored(folder, spec, split='train'):
    """All steps of a split, [N, C]."""
    values = b''.join(e.values for e in source_data.examples(folder, split))
    return np.frombuffer(values, spec.dtype).reshape(-1, spec.channels)


def entropy(column):
    _, counts = np.unique(column, return_counts=True)
    shares = counts / counts.sum()
    return -(shares * np.log(shares)).sum()


@pytest.mark.parametrize('kind', JOBS)
def test_they_are_those_of_what_is_stored(folders, kind):
    info = records.read_info(folders[kind])
    found, values = read_scales(folders[kind], info), stored(folders[kind], info.spec)
    text = info.spec.kind == 'text'
    if text:
        assert found.variance is None
    else:
        read = values / 255 if info.spec.dtype == 'uint8' else values.astype(np.float64)
        np.testing.assert_allclose(found.variance, read.var(axis=0), rtol=1e-9, atol=1e-15)
    if kind == 'float16':
        assert found.entropy is None
    else:
        expected = [entropy(column) for column in values.T]
        np.testing.assert_allclose(found.entropy, expected, rtol=1e-12, atol=0)
    if kind == 'uint8':
        assert (found.variance[1], found.entropy[1]) == (0, 0)


@pytest.mark.parametrize('kind', JOBS)
def test_stats_have_them_of_every_split(folders, kind):
    info = records.read_info(folders[kind])
    stats = json.loads(source_data.contents(folders[kind])['stats.json'])
    if kind == 'float16':
        assert 'entropy' not in stats
        return
    assert set(stats['entropy']) == {'train', 'validation'}
    values = stored(folders[kind], info.spec, 'validation')
    expected = [entropy(column) for column in values.T]
    np.testing.assert_allclose(stats['entropy']['validation'], expected, rtol=1e-12)


def rewritten(folder, tmp_path, data):
    """A folder with another stats.json, and its description without any checksum of it."""
    (tmp_path / 'stats.json').write_bytes(data)
    return str(tmp_path), dataclasses.replace(records.read_info(folder), files={})


def test_what_an_older_job_has_not_written_is_none(folders, tmp_path):
    stats = json.loads(source_data.contents(folders['image'])['stats.json'])
    del stats['entropy']
    place, info = rewritten(folders['image'], tmp_path, json.dumps(stats).encode())
    found = read_scales(place, info)
    assert found.variance == read_scales(folders['image'], info).variance
    assert found.entropy is None
    del stats['values']
    place, info = rewritten(folders['image'], tmp_path, json.dumps(stats).encode())
    assert read_scales(place, info) == ValueScales(None, None)


@pytest.mark.parametrize(
    'data',
    [
        b'',
        b'{"values"',
        b'[]',
        b'\xff',
        b'{"values": {"train": {"deviation": ["a"]}}}',
        b'{"entropy": 3}',
        b'{"entropy": {"train": [null]}}',
    ],
)
def test_damaged_stats_are_refused(folders, tmp_path, data):
    place, info = rewritten(folders['image'], tmp_path, data)
    with pytest.raises(LonghaulError) as caught:
        read_scales(place, info)
    message = str(caught.value)
    assert message.startswith(f'{tmp_path}/stats.json: damaged (')
    assert message.endswith('; run python -m pipelines.main again with --overwrite')
    assert '\n' not in message


def test_stats_of_other_records_are_refused(folders):
    other = records.read_info(folders['uint8'])
    with pytest.raises(LonghaulError, match='its sha256 is not that of records.json'):
        read_scales(folders['image'], other)


def test_missing_stats_are_refused(folders, tmp_path):
    with pytest.raises(LonghaulError, match=r'stats.json: missing, .* --overwrite$'):
        read_scales(str(tmp_path), records.read_info(folders['image']))
