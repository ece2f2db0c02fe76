"""Files as chunks: together they are what the model's own decode gives."""

import dataclasses
import io
import weakref
import zipfile

import exports
import numpy as np
import pytest
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import character_spec, signal_spec, text_spec
from tools.predict import chunks

VOCABULARY = 'ab é猫🙂\n'


def specs(kind, **values):
    if kind == 'bytes':
        return text_spec(**values)
    return character_spec(**values).with_vocabulary(VOCABULARY)


def document(random, size):
    """Characters of 1 to 4 bytes, known and unknown ones."""
    parts = [c.encode() for c in VOCABULARY + 'zñ☃😀']
    return b''.join(parts[i] for i in random.integers(0, len(parts), size))


@pytest.mark.parametrize('kind', ['bytes', 'characters'])
@pytest.mark.parametrize('cut', ['whole', 'head', 'tail', 'both'])
@pytest.mark.parametrize('block', [1, 2, 5, 1 << 20])
def test_the_chunks_of_a_text(tmp_path, monkeypatch, kind, cut, block):
    monkeypatch.setattr(chunks, '_BYTES', block)
    random, path = np.random.default_rng(0), tmp_path / 'x.txt'
    for size in [0, 1, 2, 7, *random.integers(3, 90, 12)]:
        most = {} if cut == 'whole' else {'max_steps': int(random.integers(1, 40)), 'cut': cut}
        spec, data = specs(kind, **most), document(random, size)
        path.write_bytes(data)
        found = [*chunks.read_chunks(str(path), spec), np.zeros([0], spec.dtype)]
        assert {chunk.dtype for chunk in found} == {np.dtype(spec.dtype)}
        want = sequences.decode(tf.constant(data), spec).numpy()
        np.testing.assert_array_equal(np.concatenate(found), want, err_msg=f'{data} {most}')
    # As the job: by the byte order mark, and nothing that is not in its encoding.
    path.write_bytes('é猫'.encode('utf-16'))
    assert len(np.concatenate([*chunks.read_chunks(str(path), specs(kind))])) in (2, 5)
    path.write_bytes('é'.encode('cp1252'))
    with pytest.raises(LonghaulError, match='^the text is not UTF-8 '):
        list(chunks.read_chunks(str(path), specs(kind)))


def test_the_end_of_a_long_file_is_kept_in_constant_memory(monkeypatch):
    """Chunks that are not wanted any more are gone while the rest is read."""
    monkeypatch.setattr(chunks, '_BYTES', 10)
    alive = []

    def stream():
        for i in range(1000):
            chunk = np.full([7], i % 251, np.uint8)
            alive.append(weakref.ref(chunk))
            yield chunk
            assert sum(ref() is not None for ref in alive) < 10

    (found,) = chunks.cut(stream(), 15, 'tail')
    want = np.repeat(np.arange(1000) % 251, 7)[-15:]
    np.testing.assert_array_equal(found, want)


def test_the_rest_of_a_head_is_not_even_read():
    def stream():
        yield np.zeros([3], np.uint8)
        yield np.zeros([3], np.uint8)
        raise AssertionError('read too far')

    assert sum(map(len, chunks.cut(stream(), 5, 'head'))) == 5


@pytest.mark.parametrize('trailing', ['blank', 'noise'])
@pytest.mark.parametrize('kind', ['bytes', 'characters'])
def test_trailing_steps_come_last(tmp_path, kind, trailing):
    seed = 3 if trailing == 'noise' else None
    spec = dataclasses.replace(
        specs(kind, max_steps=4, cut='both'),
        trailing_steps=5,
        trailing=trailing,
        trailing_seed=seed,
    )
    for data in (b'', b'a', b'ab' * 9):
        (tmp_path / 'x.txt').write_bytes(data)
        chunked = [*chunks.read_chunks(str(tmp_path / 'x.txt'), spec), np.zeros([0], spec.dtype)]
        want = sequences.decode(tf.constant(data), spec).numpy()
        np.testing.assert_array_equal(np.concatenate(chunked), want)


@pytest.mark.parametrize('cut', ['whole', 'head', 'tail', 'both'])
@pytest.mark.parametrize('dtype', ['|u1', '<f2', '>f2', '<f4', '>f4', '<f8', '>f8'])
def test_the_chunks_of_an_array(tmp_path, monkeypatch, cut, dtype):
    monkeypatch.setattr(chunks, '_STEPS', 7)
    random, path = np.random.default_rng(0), tmp_path / 'x.npy'
    stored = 'uint8' if dtype == '|u1' else 'float16'
    for size, channels in ((1, 1), (6, 2), (7, 2), (30, 3), (50, 1)):
        most = {} if cut == 'whole' else {'max_steps': 11, 'cut': cut}
        spec = signal_spec(dtype=stored, channels=channels, **most)
        array = random.normal(size=[size, channels]) * 50 + 100
        array[0] = 1 + 2**-11 + 2**-40  # A tie, but only for those who go by float32.
        array = array.astype(dtype)
        for data in (array, np.asfortranarray(array), *([array[:, 0]] if channels == 1 else [])):
            path.write_bytes(exports.npy(data))
            found = np.concatenate(list(chunks.read_chunks(str(path), spec)))
            want = sequences.decode(tf.constant(path.read_bytes()), spec).numpy()
            assert found.dtype == want.dtype
            np.testing.assert_array_equal(found, want)


def zipped(data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w') as archive:
        archive.writestr('x.npy', data)
    return file.getvalue()


def arrays() -> dict[str, bytes]:
    good = exports.npy(np.zeros([5, 2], np.float32))
    return {
        'empty': b'',
        'text': b'1,2\n3,4\n',
        'no header': good[:20],
        'cut off': good[:-3],
        'nothing': exports.npy(np.zeros([0, 2], np.float32)),
        'integers': exports.npy(np.zeros([5, 2], np.int32)),
        'strings': exports.npy(np.array(['a', 'b'])),
        'complex': exports.npy(np.zeros([5, 2], complex)),
        'three channels': exports.npy(np.zeros([5, 3], np.float32)),
        'a vector': exports.npy(np.zeros([5], np.float32)),
        'a cube': exports.npy(np.zeros([5, 2, 1], np.float32)),
        'a number': exports.npy(np.float32(1)),
        'NaN': exports.npy(np.full([5, 2], np.nan, np.float32)),
        'infinite': exports.npy(np.full([5, 2], np.inf, np.float32)),
        'too large': exports.npy(np.full([5, 2], 1e5, np.float32)),
        'pickled': exports.npy(np.array([{}, []], object)),
        'a huge claim': good.replace(b'(5, 2)', b'(5000000000000, 2)').replace(b' ' * 12, b''),
        'too long': good + b'x',
        'a zip': zipped(good),
        'an open bracket': good.replace(b'(5, 2), }', b'(5, 2, '.ljust(9)),
    }


@pytest.mark.parametrize('name', arrays())
def test_an_array_that_cannot_be_read_is_refused_as_the_model_does(tmp_path, name):
    data, spec = arrays()[name], signal_spec(dtype='float16', channels=2)
    path = tmp_path / 'x.npy'
    path.write_bytes(data)
    with pytest.raises(tf.errors.InvalidArgumentError):
        sequences.decode(tf.constant(data), spec)
    if name == 'nothing':
        # Of which `streams` says that it is empty.
        assert list(chunks.read_chunks(str(path), spec)) == []
        return
    with pytest.raises(LonghaulError) as refused:
        list(chunks.read_chunks(str(path), spec))
    assert '\n' not in str(refused.value)
