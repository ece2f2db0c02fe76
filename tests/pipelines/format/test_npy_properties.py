"""What is read of a .npy file is what NumPy reads of it; whatever else comes is refused."""

import functools
import io

import numpy as np
import tensorflow as tf
from hypothesis import strategies as st
from properties import damaged, holds, outcome

from pipelines.format import sequences
from pipelines.format.refusals import reason_of
from pipelines.format.spec import signal_spec

FLOATS = ('<f2', '>f2', '<f4', '>f4', '<f8', '>f8')
OTHERS = ('|i1', '<i8', '|b1', '<c8', '|S3', '<U2', '<M8[s]', '<f4,<f2')


@functools.cache
def decoder(dtype, channels):
    """Traced once, for every length."""
    spec = signal_spec(dtype=dtype, channels=channels)
    return tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )


def decoded(data, dtype, channels):
    """None for a refusal, which has a reason."""
    refusal = tf.errors.InvalidArgumentError
    found, error = outcome(refusal, decoder(dtype, channels), tf.constant(data))
    assert error is None or reason_of(error) is not None, error
    return None if error else found.numpy()


def numpy_reads(data, dtype, channels):
    """As the records would have it; None where NumPy refuses, or it is another kind of array."""
    file = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(file, allow_pickle=False)
    except Exception:  # noqa: BLE001 - it raises many kinds
        return None
    kinds = 'f' if dtype == 'float16' else 'u'
    if file.read(1) or array.dtype.kind not in kinds or array.ndim not in (1, 2) or not array.size:
        return None
    array = array.reshape(len(array), -1)
    if array.shape[1] != channels or array.dtype.itemsize > 8:
        return None
    if dtype == 'uint8':
        return array if array.dtype == np.uint8 else None
    with np.errstate(over='ignore', invalid='ignore'):
        stored = array.astype(np.float32).astype(np.float16)
    return stored if np.isfinite(stored).all() else None


@st.composite
def arrays(draw, descrs=('|u1', *FLOATS)):
    """Files that NumPy writes, of any bits, in any of its versions and both orders."""
    dtype = np.dtype(draw(st.sampled_from(descrs)))
    shape = draw(
        st.sampled_from([(1, 3), (5, 3), (3, 5), (7,), (1,), (2, 1), (0, 3), (), (2, 3, 1)])
    )
    size = dtype.itemsize * int(np.prod(shape))
    array = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), dtype).reshape(shape)
    if dtype.kind == 'f' and draw(st.booleans()):
        # Of random bits one in a few values is beyond float16, and so is the array.
        wide = np.nan_to_num(array.astype(np.float64))
        array = (wide % 65504).astype(dtype)
    file, order = io.BytesIO(), draw(st.sampled_from('CF'))
    version = (draw(st.integers(1, 3)), 0)
    np.lib.format.write_array(file, np.asarray(array, order=order), version=version)
    return file.getvalue()


spec = st.sampled_from([('float16', 3), ('float16', 1), ('uint8', 3), ('uint8', 1)])


@holds(150, data=arrays(), spec=spec)
def test_what_numpy_writes_is_read_where_it_fits(data, spec):
    want, got = numpy_reads(data, *spec), decoded(data, *spec)
    assert (got is None) == (want is None)
    if want is not None:
        np.testing.assert_array_equal(got, want)


@holds(40, data=arrays(OTHERS), spec=spec)
def test_other_types_are_refused(data, spec):
    assert decoded(data, *spec) is None


@holds(
    250,
    data=damaged(arrays().map(bytes), favourites=b'0123456789,()\'"<>=|[]{}: fu\\'),
    spec=spec,
)
def test_what_is_read_of_a_damaged_file_is_what_numpy_reads(data, spec):
    got = decoded(data, *spec)
    if got is not None:
        want = numpy_reads(data, *spec)
        assert want is not None
        np.testing.assert_array_equal(got, want)


# One that fits twelve bytes of float16, in the spellings that other writers have.
SPELLINGS = (
    "{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }",
    '{"shape":(2,3,),"fortran_order":True,"descr":"<f2"}',
    "{ 'fortran_order' : False , 'shape' : (6,) , 'descr' : '<f2' }  \n",
)


@st.composite
def headers(draw):
    """Two characters at most are replaced, put in or taken out."""
    found = list(draw(st.sampled_from(SPELLINGS)))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(found) - 1))
        new = draw(st.text('\'"(){}[],:; \n\t\\0123456789_-+.#<>=|fuTF', max_size=1))
        found[at] = draw(st.sampled_from([new, found[at] + new]))
    return ''.join(found).encode()


@holds(250, header=headers(), spec=st.sampled_from([('float16', 3), ('float16', 1)]))
def test_what_is_read_of_a_damaged_header_is_what_numpy_reads(header, spec):
    body = np.arange(6, dtype='<f2').tobytes()
    data = b'\x93NUMPY\1\0' + len(header).to_bytes(2, 'little') + header + body
    got = decoded(data, *spec)
    if got is not None:
        want = numpy_reads(data, *spec)
        assert want is not None
        np.testing.assert_array_equal(got, want)


@holds(60, data=st.binary(), magic=st.booleans(), spec=spec)
def test_any_bytes_are_refused(data, magic, spec):
    assert decoded((b'\x93NUMPY' if magic else b'') + data, *spec) is None
