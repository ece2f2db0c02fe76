"""Arrays as NumPy writes them come back as they were; whatever else comes says why it cannot."""

import functools
import io
import os

import numpy as np
import pytest
import tensorflow as tf

from pipelines.format import sequences
from pipelines.format.refusals import reason_of, refuse_unless
from pipelines.format.spec import signal_spec

FLOATS = ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8')


def npy(array, *, version=None):
    """The bytes that np.save writes; `version` (1..3, 0) of the format."""
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version=version, allow_pickle=True)
    return file.getvalue()


def with_header(header, body=b'', *, version=1):
    """A file with this very header."""
    data = header if isinstance(header, bytes) else header.encode()
    size = len(data).to_bytes(2 if version == 1 else 4, 'little')
    return b'\x93NUMPY' + bytes([version, 0]) + size + data + body


@functools.cache
def decoder(dtype, channels, max_steps=None, cut='head'):
    """Traced once, for every length."""
    spec = signal_spec(dtype=dtype, channels=channels, max_steps=max_steps, cut=cut)
    return tf.function(
        lambda data: sequences.decode(data, spec),
        input_signature=[tf.TensorSpec([], tf.string)],
    )


def decode(data, dtype='float16', channels=3):
    return decoder(dtype, channels)(tf.constant(data)).numpy()


def refused(data, dtype='float16', channels=3):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        decode(data, dtype, channels)
    return reason_of(caught.value)


@pytest.mark.parametrize('version', [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize('order', 'CF')
@pytest.mark.parametrize('shape', [(1, 3), (5, 3), (40, 1), (17,), (1,)])
@pytest.mark.parametrize('descr', ['|u1', *FLOATS])
def test_arrays_come_back(descr, shape, order, version):
    values = np.random.default_rng(0).normal(scale=100, size=shape)
    array = np.asarray(np.abs(values) if descr == '|u1' else values).astype(descr, order=order)
    dtype = 'uint8' if descr == '|u1' else 'float16'
    channels = shape[1] if len(shape) == 2 else 1
    data = npy(array, version=version)
    got = decode(data, dtype, channels)
    want = array.reshape(-1, channels)
    want = want.astype(np.float32) if dtype == 'float16' else want
    np.testing.assert_array_equal(got, want.astype(dtype))
    assert got.dtype == dtype


@pytest.mark.parametrize('descr', FLOATS)
def test_rounding_is_to_the_nearest_ties_to_even(descr):
    """Halfway cases, subnormal results, both zeros, the largest that still fits."""
    halves = np.arange(0x7BFF, dtype=np.uint16).view(np.float16).astype(np.float32)
    between = halves[:-1] + (halves[1:] - halves[:-1]) / 2
    near = [np.nextafter(between, np.float32(0)), np.nextafter(between, np.float32(np.inf))]
    ends = np.array([-0.0, 0.0, 65504, 65519.99, 1e-8, 5.96e-8], np.float32)
    values = np.concatenate([halves, between, *near, ends]).astype(np.float32)
    values = np.concatenate([values, -values])
    if descr[1:] == 'f2':
        values = values.astype(np.float16)
    got = decode(npy(values.astype(descr)), channels=1)[:, 0]
    want = values.astype(np.float16)
    np.testing.assert_array_equal(got.view(np.uint16), want.view(np.uint16))


@pytest.mark.parametrize(
    'header',
    [
        "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }",
        "{'shape':(2,3),'descr':'<f2','fortran_order':False}\n",
        '{"fortran_order": False, "shape": (2, 3,), "descr": "<f2"}   \n',
    ],
)
def test_other_writers_headers(header):
    values = np.arange(6, dtype=np.float16)
    for version in (1, 2, 3):
        got = decode(with_header(header, values.tobytes(), version=version))
        np.testing.assert_array_equal(got, values.reshape(2, 3))


HEAD = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }\n"
SOUND = HEAD % ('<f2', 'False', '(2, 3)')
SIX = np.ones([2, 3], np.float16)
DAMAGED, NO_NPY = 'the header is damaged', 'not a .npy file'
NOT_FINITE = 'the array holds NaN or infinite values'
OTHER_CHANNELS, SHAPE = 'another number of channels than 3', 'the shape is not [T, C]'
SIZE, TYPE = 'cut off or too long', 'not an array of floating-point numbers'
REFUSALS = {
    'empty': (b'', NO_NPY, ''),
    'magic_alone': (b'\x93NUMPY', NO_NPY, ''),
    'png': (b'\x89PNG\r\n\x1a\n' + bytes(40), NO_NPY, ''),
    'text': (b'1.0,2.0,3.0\n' * 9, NO_NPY, ''),
    'zip': (b'PK\x03\x04' + bytes(60), NO_NPY, ''),
    'version_4': (with_header(SOUND, SIX.tobytes(), version=4), NO_NPY, ''),
    'version_0': (with_header(SOUND, SIX.tobytes(), version=0), NO_NPY, ''),
    'header_cut_off': (npy(SIX)[:60], DAMAGED, ''),
    'header_of_4_gigabytes': (b'\x93NUMPY\x02\0\xff\xff\xff\xff' + bytes(99), DAMAGED, ''),
    'header_too_long': (with_header(SOUND + ' ' * 10_000, SIX.tobytes()), DAMAGED, ''),
    'no_header': (with_header('', SIX.tobytes()), DAMAGED, ''),
    'quotes_of_two_kinds': (with_header(SOUND.replace("'d", '"d'), SIX.tobytes()), DAMAGED, ''),
    'type_in_quotes_of_two_kinds': (
        with_header(SOUND.replace("'<", '"<'), SIX.tobytes()),
        DAMAGED,
        '',
    ),
    'no_dict': (with_header('[1, 2]', SIX.tobytes()), DAMAGED, ''),
    'no_utf8': (with_header(b"{'descr': '\xff', " + SOUND.encode()[18:]), DAMAGED, ''),
    'a_call': (with_header(SOUND.replace('(2, 3)', 'exit()')), DAMAGED, ''),
    'negative': (with_header(HEAD % ('<f2', 'False', '(-2, 3)')), DAMAGED, ''),
    'key_missing': (with_header("{'descr': '<f2', 'shape': (2, 3)}"), DAMAGED, ''),
    'key_twice': (
        with_header("{'descr': '<f2', 'descr': '<f2', 'shape': (2, 3)}", SIX.tobytes()),
        DAMAGED,
        '',
    ),
    'one_key_more': (with_header(SOUND.replace('{', "{'a': 1, "), SIX.tobytes()), DAMAGED, ''),
    'integers': (npy(np.ones([2, 3], np.int64)), TYPE, '<i8'),
    'bytes': (npy(np.ones([2, 3], np.uint8)), TYPE, '?u1'),
    'complex': (npy(np.ones([2, 3], np.complex64)), TYPE, '<c8'),
    'objects': (npy(np.array([{}, None, 1], object)), TYPE, '?O'),
    'structures': (npy(np.zeros([2], [('a', '<f4'), ('b', '<f2')])), TYPE, ''),
    'native_order': (with_header(HEAD % ('=f4', 'False', '(2, 3)')), TYPE, '=f4'),
    'type_without_an_order': (with_header(HEAD % ('f4', 'False', '(2, 3)')), TYPE, 'f4'),
    'hostile_type': (with_header(HEAD % ('|\\x\x07é', 'False', '(2, 3)')), TYPE, '??x??'),
    'a_number': (npy(np.float32(1)), SHAPE, 'shape ()'),
    'three_axes': (npy(np.ones([2, 3, 1], np.float32)), SHAPE, 'shape (2, 3, 1)'),
    'leading_zero': (with_header(HEAD % ('<f2', 'False', '(02, 3)')), SHAPE, 'shape (02, 3)'),
    'huge': (
        with_header(HEAD % ('<f2', 'False', '(9999999999999, 3)')),
        SHAPE,
        'shape (9999999999999, 3)',
    ),
    'one_axis': (npy(np.ones([6], np.float32)), OTHER_CHANNELS, 'shape (6,)'),
    'transposed': (npy(np.ones([3, 2], np.float32)), OTHER_CHANNELS, 'shape (3, 2)'),
    'no_step': (npy(np.ones([0, 3], np.float32)), 'the array is empty', 'shape (0, 3)'),
    'cut_off': (npy(SIX)[:-1], SIZE, '11 bytes, not 12'),
    'no_body': (npy(SIX)[:-12], SIZE, '0 bytes, not 12'),
    'too_long': (npy(SIX) + b'\0\0', SIZE, '14 bytes, not 12'),
    'large': (
        with_header(HEAD % ('<f8', 'False', '(999999999999, 3)')),
        SIZE,
        '0 bytes, not 23999999999976',
    ),
    'nan': (npy(np.array([[1, np.nan, 2]], np.float32)), NOT_FINITE, ''),
    'nan_half': (npy(np.array([[1, np.nan, 2]], '>f2')), NOT_FINITE, ''),
    'infinite': (npy(np.array([[1, -np.inf, 2]], np.float64)), NOT_FINITE, ''),
    'beyond': (npy(np.full([1, 3], 65520, '>f4')), 'values beyond the range of float16', ''),
    'beyond_float32': (npy(np.full([1, 3], -1e300)), 'values beyond the range of float16', ''),
}


@pytest.mark.parametrize('name', REFUSALS)
def test_refuses_with_the_reason(name):
    data, reason, detail = REFUSALS[name]
    assert refused(data) == (reason, detail)


def test_floats_are_no_bytes():
    assert refused(npy(SIX), 'uint8') == ('not an array of uint8', '<f2')
    assert refused(npy(np.ones([2, 3], np.int8)), 'uint8') == ('not an array of uint8', '?i1')


@pytest.mark.parametrize('name', ['png', 'integers', 'transposed', 'cut_off', 'infinite', 'beyond'])
def test_refuses_outside_of_graphs_too(name):
    data, reason, detail = REFUSALS[name]
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        sequences.decode(tf.constant(data), signal_spec(dtype='float16', channels=3))
    assert reason_of(caught.value) == (reason, detail)


def test_only_our_refusals_have_a_reason():
    assert reason_of(ValueError('longhaul rejects')) is None
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        refuse_unless(tf.constant(False), 'too blue', tf.constant(b'\xff' * 200))
    assert reason_of(caught.value) == ('too blue', '?' * 80)
    refuse_unless(tf.constant(True), 'too blue')


@pytest.mark.parametrize(
    ('cut', 'want'), [('head', [0, 1, 2]), ('tail', [4, 5, 6]), ('both', [0, 1, 6])]
)
def test_cuts_steps(cut, want):
    array = np.arange(14, dtype=np.uint8).reshape(7, 2)
    got = decoder('uint8', 2, 3, cut)(tf.constant(npy(array)))
    np.testing.assert_array_equal(got, array[want])


def items():
    good = [npy(np.full([n, 3], n, '<f4')) for n in (1, 4, 2)]
    return [good[0], b'nothing', good[1], npy(np.full([1, 3], np.nan)), good[2]]


def test_maps_over_a_dataset_and_drops_what_cannot_be_read():
    spec = signal_spec(dtype='float16', channels=3)
    dataset = tf.data.Dataset.from_tensor_slices(items())
    dataset = dataset.map(lambda data: sequences.decode(data, spec)).ignore_errors()
    assert dataset.element_spec == tf.TensorSpec([None, 3], tf.float16)
    assert [len(array) for array in dataset.as_numpy_iterator()] == [1, 4, 2]


def test_maps_inside_a_saved_model(tmp_path):
    spec = signal_spec(dtype='float16', channels=3)

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
        def sums(self, data):
            return tf.map_fn(
                lambda item: tf.reduce_sum(sequences.decode(item, spec)),
                data,
                fn_output_signature=tf.float16,
            )

    tf.saved_model.save(Module(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    np.testing.assert_array_equal(loaded.sums(tf.constant(items()[::2])), [3, 48, 12])
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        loaded.sums(tf.constant(items()))
    assert reason_of(caught.value) in ((NO_NPY, ''), (NOT_FINITE, ''))


def numpy_says(data, channels):
    """What NumPy reads, as the spec would have it; None where it refuses or it is another kind."""
    file = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # noqa: BLE001 - it raises many kinds
        return None
    if file.read(1) or array.dtype.kind != 'f' or array.ndim not in (1, 2) or not array.size:
        return None
    array = array.reshape(len(array), -1)
    if array.shape[1] != channels or not np.isfinite(array).all():
        return None
    with np.errstate(over='ignore'):
        stored = array.astype(np.float32).astype(np.float16)
    return stored if np.isfinite(stored).all() else None


def mutated(data, rng, header):
    """One to four bytes of the header changed, put in, taken out, or moved."""
    found = bytearray(data)
    for _ in range(rng.integers(1, 5)):
        at, to = (int(n) for n in rng.integers(min(header, len(found)), size=2))
        byte = int(rng.choice([rng.integers(256), *b"0123456789,()'<>[]{} ftu\\"]))
        how = rng.choice(['change', 'put in', 'take out', 'move'], p=[0.2, 0.1, 0.1, 0.6])
        if how in ('take out', 'move'):
            byte = found.pop(at)
        if how == 'change':
            found[at] = byte
        elif how != 'take out':
            found.insert(to, byte)
    return bytes(found)


def outcome(data):
    """What is read of the data, or the error that says why nothing is."""
    try:
        return decode(data)
    except tf.errors.InvalidArgumentError as error:
        return error


def fuzz(count, seed):
    """How many of `count` mutations are still read; each read as NumPy reads it."""
    rng = np.random.default_rng(seed)
    sound = [
        npy(rng.normal(size=[n, 3]).astype(descr, order=order), version=(v, 0))
        for n, v in ((1, 1), (7, 2), (30, 3))
        for descr in ('<f2', '>f4', '<f8')
        for order in 'CF'
    ]
    read = 0
    for _ in range(count):
        data = mutated(sound[rng.integers(len(sound))], rng, int(rng.choice([12, 60, 140])))
        got = outcome(data)
        if isinstance(got, Exception):
            assert reason_of(got) is not None, (data, got)
            continue
        read += 1
        want = numpy_says(data, 3)
        # NumPy evaluates the header: what we read, it reads too.
        assert want is not None, data
        np.testing.assert_array_equal(got, want)
    return read


def test_hostile_headers_are_refused_or_read_as_numpy_does():
    assert 0 < fuzz(400, seed=0) < 400


@pytest.mark.long
def test_many_hostile_headers():
    seed = int.from_bytes(os.urandom(4), 'little')
    print(f'seed {seed}')
    assert 0 < fuzz(20_000, seed) < 20_000
