"""idx: MNIST's four files, and what is wrong with others."""

import gzip

import numpy as np
import pytest
import source_data
from source_data import IMAGE_FLAGS, idx_bytes, refusal, run_job, write_idx

from pipelines.job.sources.files.idx import Idx


def job(source, output, *flags):
    flags = ('--auxiliary_steps=5', '--segment_steps=6', *flags)
    assert run_job(f'--source=idx:{source}', f'--output={output}', *flags) == 0
    return output


def refused(capsys, folder, tmp_path):
    return refusal(capsys, f'--source=idx:{folder}', f'--output={tmp_path / "out"}', *IMAGE_FLAGS)


def replace(folder, name, data):
    (folder / name).write_bytes(data)


def test_pixels_and_labels_arrive_as_they_are(tmp_path):
    folder = write_idx(tmp_path / 'in')
    out = job(folder, tmp_path / 'out', '--validation_share=0')
    for split, prefix, count in (('train', 'train', 30), ('test', 't10k', 10)):
        data = (folder / f'{prefix}-images-idx3-ubyte').read_bytes()[16:]
        images = np.frombuffer(data, np.uint8).reshape(count, 16)
        found = source_data.by_id(out, split)
        assert sorted(found) == [f'{split}/{i:05}' for i in range(count)]
        for i in range(count):
            example = found[f'{split}/{i:05}']
            assert example.values == images[i].tobytes()
            assert example.label == i % 3
    described = source_data.description(out)
    assert described['class_names'] == ['0', '1', '2']
    # The side that all images have is taken without being named.
    assert (described['spec']['image_size'], described['spec']['channels']) == (4, 1)


@pytest.mark.parametrize(
    ('suffix', 'stem'), [('.gz', '-idx'), ('', '.idx'), ('.gz', '.idx')], ids=str
)
def test_the_same_bytes_from_other_forms_of_the_files(tmp_path, suffix, stem):
    plain = job(write_idx(tmp_path / 'plain'), tmp_path / 'a')
    other = job(write_idx(tmp_path / 'other', suffix=suffix, stem=stem), tmp_path / 'b')
    assert source_data.contents(plain) == source_data.contents(other)


def test_resizes_when_asked(tmp_path):
    out = job(write_idx(tmp_path / 'in', side=6), tmp_path / 'out', '--image_size=3', '--limit=2')
    assert {e.length for e in source_data.examples(out)} == {9}


def test_images_that_are_not_square_need_a_size(tmp_path, capsys):
    folder = write_idx(tmp_path / 'in')
    for prefix, count in (('train', 30), ('t10k', 10)):
        images = np.zeros((count, 2, 8), np.uint8)
        replace(folder, f'{prefix}-images-idx3-ubyte', idx_bytes(images))
    assert Idx(str(folder)).image_size() is None
    output = f'--output={tmp_path / "out"}'
    message = refusal(capsys, f'--source=idx:{folder}', output)
    assert message.startswith('--image_size is missing: ')


def test_refuses_a_missing_folder(tmp_path, capsys):
    message = refused(capsys, tmp_path / 'none', tmp_path)
    assert message.startswith(f'--source=idx:{tmp_path / "none"}: no such folder')


@pytest.mark.parametrize(
    'name',
    ['train-images-idx3', 'train-labels-idx1', 't10k-images-idx3', 't10k-labels-idx1'],
)
def test_refuses_a_missing_file(tmp_path, capsys, name):
    folder = write_idx(tmp_path / 'in')
    (folder / f'{name}-ubyte').unlink()
    message = refused(capsys, folder, tmp_path)
    expected = f'--source=idx:{folder}: {name}-ubyte (or {name}-ubyte.gz) is missing; put all four'
    assert message.startswith(expected)


GOOD = idx_bytes(np.zeros((30, 4, 4), np.uint8))


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        pytest.param(b'', 'begins with , an idx file', id='empty'),
        pytest.param(GOOD[:10], 'begins with 00000803', id='half-a-header'),
        pytest.param(b'\0\0\x0d\x03' + GOOD[4:], 'begins with 00000d03', id='floats'),
        pytest.param(b'\0\0\x08\x01' + GOOD[4:], 'in 3 dimensions with 00000803', id='vector'),
        pytest.param(GOOD[:-1], 'has 479 values, its header says (30, 4, 4)', id='shorter'),
        pytest.param(
            GOOD + b'\0', 'has more than 480 values, its header says (30, 4, 4)', id='longer'
        ),
        pytest.param(
            idx_bytes(np.zeros((29, 4, 4), np.uint8)), '29 images but 30 labels', id='too-few'
        ),
    ],
)
def test_refuses_other_content(tmp_path, capsys, data, expected):
    folder = write_idx(tmp_path / 'in')
    replace(folder, 'train-images-idx3-ubyte', data)
    message = refused(capsys, folder, tmp_path)
    assert message.startswith('--source=idx:')
    assert expected in message
    assert not (tmp_path / 'out').exists()


def middle_damaged(data: bytes) -> bytes:
    damaged = bytearray(gzip.compress(data))
    damaged[10:30] = b'\xff' * 20  # The ten bytes before are gzip's header.
    return bytes(damaged)


@pytest.mark.parametrize(
    'data',
    [
        pytest.param(b'no gzip', id='no-gzip'),
        pytest.param(gzip.compress(GOOD)[:-12], id='cut-off'),
        pytest.param(gzip.compress(GOOD)[:-8] + bytes(8), id='another-checksum'),
        pytest.param(middle_damaged(np.random.RandomState(0).bytes(500)), id='damaged-inside'),
    ],
)
def test_refuses_damaged_gzip(tmp_path, capsys, data):
    folder = write_idx(tmp_path / 'in', suffix='.gz')
    name = 'train-images-idx3-ubyte.gz'
    replace(folder, name, data)
    message = refused(capsys, folder, tmp_path)
    assert message.startswith(f'--source=idx: {folder / name} cannot be read (')
    assert message.endswith('; fetch it again')
