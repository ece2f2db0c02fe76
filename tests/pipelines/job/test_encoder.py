"""A payload becomes steps, or the reason why it cannot."""

import io

import image_data
import numpy as np
import pytest
import tensorflow as tf
from source_data import encode_image, exif, pixels

from pipelines.format import sequences
from pipelines.format.errors import LonghaulError
from pipelines.format.spec import SequenceSpec, signal_spec, text_spec
from pipelines.job import decoding, encoder
from pipelines.job.items import Payload, Rejected

IMAGE = SequenceSpec('image', image_size=4, channels=3)
GRAY = SequenceSpec('image', image_size=4, channels=1)


def encode(payload, spec):
    (found,) = encoder.encode_batch([payload], spec)
    if isinstance(found, Rejected):
        raise found
    return found


def reason(data, spec=IMAGE):
    with pytest.raises(Rejected) as caught:
        encode(Payload(data), spec)
    return caught.value.reason, caught.value.detail


@pytest.mark.parametrize('kind', ['PNG', 'JPEG', 'GIF', 'BMP'])
def test_images_are_encoded(kind):
    array = np.full((4, 4, 3), 90, np.uint8)
    data = encode_image(array, kind)
    np.testing.assert_array_equal(encode(Payload(data), IMAGE), array.reshape(16, 3))


@pytest.mark.parametrize(('orientation', 'turns'), [(1, 0), (3, 2), (6, -1), (8, 1)])
def test_rotated_images_are_turned_upright(orientation, turns):
    data = encode_image(pixels(0), exif=exif(orientation))
    expected = np.rot90(pixels(0), turns).reshape(16, 3)
    np.testing.assert_array_equal(encode(Payload(data), IMAGE), expected)


@pytest.mark.parametrize(
    ('data', 'expected'),
    [
        pytest.param(b'', 'the file is empty', id='empty'),
        pytest.param(b'hello', 'neither a PNG, a JPEG, a GIF nor a BMP file', id='text'),
        pytest.param(encode_image(pixels(0), 'WEBP'), 'neither a PNG, a JPEG, a GIF', id='webp'),
        pytest.param(encode_image(pixels(0))[:60], 'damaged or cut off', id='cut-png'),
        pytest.param(encode_image(pixels(0), 'JPEG')[:-40], 'damaged or cut off', id='cut-jpeg'),
        pytest.param(b'\x89PNG\r\n\x1a\n', 'damaged or cut off', id='head-of-png'),
        pytest.param(b'\xff\xd8\xff\xd9', 'damaged or cut off', id='empty-jpeg'),
    ],
)
def test_other_files_are_rejected(data, expected):
    assert expected in reason(data)[0]


def test_a_damaged_png_is_rejected():
    data = bytearray(encode_image(pixels(0, 40, 40)))
    data[data.index(b'IDAT') + 100] ^= 0xFF
    assert 'damaged' in reason(bytes(data))[0]


def test_a_size_that_would_take_all_memory_is_rejected_unread():
    png = image_data.sized_png(1 << 15, 1 << 14)
    assert reason(png) == ('more than 134217728 pixels', '32768 x 16384')


def test_half_as_many_pixels_are_read_with_transparency():
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    rows, size = np.zeros([1, 4]), {'width': 8193, 'height': 8192}
    data = image_data.bmp(rows, 32, compression=3, header=108, masks=masks, **size)
    assert reason(data) == ('more than 67108864 pixels with transparency', '8193 x 8192')
    opaque = image_data.bmp(rows, 32, **size)
    assert 'damaged' in reason(opaque)[0]


@pytest.mark.parametrize('text', [b'', b' ', b'\n\t\r '], ids=repr)
def test_empty_texts_are_rejected(text):
    assert reason(text, text_spec()) == ('the text is empty', '')


def test_texts_are_encoded():
    assert encode(Payload(b' abc'), text_spec(max_steps=3)).tolist() == [32, 97, 98]


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_arrays_are_encoded():
    spec = signal_spec(dtype='float16', channels=2, max_steps=2, cut='tail')
    array = np.array([[1, 2], [3, 4], [5, -0.5]])
    found = encode(Payload(npy(array)), spec)
    np.testing.assert_array_equal(found, array[1:].astype(np.float16))
    assert found.dtype == np.float16


def test_arrays_that_cannot_be_stored_are_rejected_with_the_decoder_s_reason():
    spec = signal_spec(dtype='float16', channels=2)
    assert reason(b' ', spec) == ('not a .npy file', '')
    assert reason(npy(np.zeros([3, 2], int)), spec) == (
        'not an array of floating-point numbers',
        '<i8',
    )
    assert reason(npy(np.full([1, 2], np.inf)), spec)[0].startswith('the array holds NaN')


@pytest.mark.parametrize('spec', [GRAY, IMAGE], ids=['gray', 'color'])
@pytest.mark.parametrize('side', [4, 6])
def test_pixels_give_what_their_file_gives(spec, side):
    array = pixels(5, side, side, 1)
    of_pixels = encode(Payload(array[:, :, None]), spec)
    of_file = encode(Payload(encode_image(array)), spec)
    np.testing.assert_array_equal(of_pixels, of_file)
    assert of_pixels.dtype == np.uint8


def test_one_bad_image_does_not_spoil_the_next():
    reason(encode_image(pixels(0))[:60])
    data = encode_image(pixels(1))
    np.testing.assert_array_equal(encode(Payload(data), IMAGE), pixels(1).reshape(16, 3))


def test_too_little_memory_is_no_verdict_about_an_item(monkeypatch):
    """Together they may need too much where each alone does not; alone it ends the job."""

    def exhausted(_):
        raise tf.errors.ResourceExhaustedError(None, None, 'OOM when allocating\n at node')

    made = decoding._of_bytes(IMAGE)
    monkeypatch.setattr(decoding, '_of_bytes', lambda *_: made._replace(many=exhausted))
    pictures = [pixels(i, IMAGE.image_size, IMAGE.image_size) for i in range(2)]
    payloads = [Payload(encode_image(picture)) for picture in pictures]
    for found, picture in zip(encoder.encode_batch(payloads, IMAGE), pictures, strict=True):
        np.testing.assert_array_equal(found, picture.reshape([-1, 3]))
    monkeypatch.setattr(decoding, '_of_bytes', lambda *_: made._replace(one=exhausted))
    with pytest.raises(LonghaulError) as caught:
        encode(payloads[0], IMAGE)
    assert str(caught.value) == (
        f'--source: an item of {len(payloads[0].content)} bytes needs more memory than this '
        'machine has (OOM when allocating); run the job where there is more, or take such items out'
    )


@pytest.mark.parametrize('cut', ['head', 'tail', 'both'])
@pytest.mark.parametrize('most', [None, 1, 2, 5, 6, 7, 100])
def test_documents_are_cut_as_an_exported_model_cuts_them(cut, most):
    spec = text_spec(max_steps=most, cut=cut)
    for text in (b'a', b'abcdef', b'abcdefghi\xff', bytes(range(33, 143))):
        found = encode(Payload(text), spec)
        expected = sequences.decode(tf.constant(text), spec).numpy()
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


def test_files_of_all_kinds_in_one_batch_keep_their_places():
    kinds = ['PNG', 'JPEG', 'GIF', 'PNG', 'BMP', 'JPEG', 'PNG']
    shades = [np.full((4 + i % 2, 4, 3), 30 * i, np.uint8) for i in range(len(kinds))]
    files = [encode_image(shade, kind) for shade, kind in zip(shades, kinds, strict=True)]
    found = encoder.encode_batch([Payload(data) for data in files], IMAGE)
    alone = [encode(Payload(data), IMAGE) for data in files]
    np.testing.assert_array_equal(found, alone)
    assert [int(values[0, 0]) for values in found] == [30 * i for i in range(len(kinds))]
