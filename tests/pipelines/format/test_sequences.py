"""Decoding, against PIL and float64: what an image file or a text becomes, step by step."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from source_data import encode_image, pixels

from pipelines.format import pixels as pixels_module
from pipelines.format import sequences, texts
from pipelines.format import spec as specs
from pipelines.format.spec import SequenceSpec

LUMA = np.array([0.299, 0.587, 0.114])


def steps(data, size, channels, **settings):
    spec = SequenceSpec('image', image_size=size, channels=channels, **settings)
    return sequences.decode(tf.constant(data), spec).numpy()


def from_pixels(array, size, channels):
    spec = SequenceSpec('image', image_size=size, channels=channels)
    return pixels_module.steps_from_pixels(tf.constant(array), spec).numpy().reshape(size, size, -1)


def saved(image: Image.Image, kind='PNG', **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def modes():
    rgb = Image.fromarray(pixels(0, 16, 16))
    return {
        'RGB': rgb,
        'L': rgb.convert('L'),
        'P': rgb.quantize(37),
        '1': rgb.convert('1'),
    }


@pytest.mark.parametrize('mode', ['RGB', 'L', 'P', '1'])
def test_png_is_what_pil_says(mode):
    image = modes()[mode]
    expected = np.asarray(image.convert('RGB')).reshape(-1, 3)
    data = saved(image)
    assert Image.open(io.BytesIO(data)).mode == mode  # PIL keeps the colour type.
    np.testing.assert_array_equal(steps(data, 16, 3), expected)


def test_sixteen_bits_keep_the_upper_eight():
    values = np.arange(0, 65536, 256, dtype=np.uint16).reshape(16, 16) + 0x7F
    found = steps(saved(Image.fromarray(values)), 16, 1)
    np.testing.assert_array_equal(found.reshape(16, 16), values >> 8)


def test_rows_come_one_after_another():
    values = np.arange(9, dtype=np.uint8).reshape(3, 3)
    assert steps(encode_image(values), 3, 1).tolist() == [[i] for i in range(9)]


def test_gray_stays_exactly_what_it_was():
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    gray, color = encode_image(values), encode_image(np.stack([values] * 3, -1))
    for data in (gray, color):
        np.testing.assert_array_equal(steps(data, 16, 1)[:, 0], values.reshape(-1))
        np.testing.assert_array_equal(steps(data, 16, 3), np.stack([values.reshape(-1)] * 3, -1))


def test_gray_pixels_are_repeated_for_three_channels():
    values = np.arange(16, dtype=np.uint8).reshape(4, 4, 1)
    np.testing.assert_array_equal(from_pixels(values, 4, 3), np.repeat(values, 3, -1))
    np.testing.assert_array_equal(from_pixels(values, 4, 1), values)


def test_luma_to_the_nearest_integer():
    colors = pixels(3, 64, 64)
    exact = colors @ LUMA
    found = from_pixels(colors, 64, 1)[..., 0]
    # float32 may fall on either side of a half, and of nothing else.
    assert np.abs(found - exact).max() < 0.5 + 1e-4
    assert from_pixels(np.array([[[255, 0, 0]]], np.uint8), 1, 1).item() == 76
    assert from_pixels(np.array([[[0, 255, 0]]], np.uint8), 1, 1).item() == 150
    assert from_pixels(np.array([[[0, 0, 255]]], np.uint8), 1, 1).item() == 29


@pytest.mark.parametrize('mode', ['RGB', 'L'])
@pytest.mark.parametrize('quality', [30, 95])
def test_jpeg_is_what_pil_says(mode, quality):
    # Smooth, as photographs are. TensorFlow takes libjpeg's fast integer transform, PIL the slow
    # one: a few gray levels apart, where a swap of channels or of rows is dozens.
    ramp = np.linspace(0, 255, 32)
    color = np.stack(np.broadcast_arrays(ramp[:, None], ramp, 255 - ramp[:, None]), -1)
    image = Image.fromarray(color.astype(np.uint8)).convert(mode)
    data = saved(image, 'JPEG', quality=quality, subsampling=0)
    expected = np.asarray(Image.open(io.BytesIO(data)).convert('RGB')).reshape(-1, 3)
    difference = np.abs(steps(data, 32, 3).astype(int) - expected)
    assert difference.max() <= 6
    assert difference.mean() < 1.5


@pytest.mark.parametrize(
    ('height', 'width', 'size'),
    [(40, 40, 8), (33, 50, 7), (5, 5, 12), (3, 20, 10), (1, 1, 4), (9, 4, 9)],
    ids=str,
)
@pytest.mark.parametrize('channels', [1, 3])
def test_resizes_as_pil_does(height, width, size, channels):
    """PIL's BILINEAR widens its triangle when it shrinks, as antialiasing does."""
    array = pixels(7, height, width, channels)
    planes = array[..., None] if channels == 1 else array
    expected = np.stack(
        [
            np.asarray(Image.fromarray(p.astype(np.float32)).resize((size, size), Image.BILINEAR))
            for p in np.moveaxis(planes, -1, 0)
        ],
        -1,
    )
    found = steps(encode_image(array), size, channels).reshape(size, size, channels)
    assert np.abs(found - expected).max() < 0.5 + 1e-2


def test_gray_is_made_before_resizing():
    array = pixels(8, 30, 20)
    gray = np.rint(array @ LUMA).astype(np.uint8)
    np.testing.assert_array_equal(steps(encode_image(array), 6, 1), steps(encode_image(gray), 6, 1))


def test_the_right_size_is_left_alone():
    array = pixels(9, 8, 8)
    np.testing.assert_array_equal(steps(encode_image(array), 8, 3), array.reshape(64, 3))


def test_step_t_shows_pixel_permutation_t():
    values = np.array([[10, 20], [30, 40]], np.uint8)
    found = steps(encode_image(values), 2, 1, permutation_seed=1, permutation=(2, 0, 3, 1))
    assert found[:, 0].tolist() == [30, 10, 40, 20]


@pytest.mark.parametrize(
    ('text', 'max_steps', 'expected'),
    [
        pytest.param('ab', None, [97, 98], id='ascii'),
        pytest.param('é€', None, [0xC3, 0xA9, 0xE2, 0x82, 0xAC], id='utf-8'),
        pytest.param('a\0\r\n', None, [97, 0, 13, 10], id='control'),
        pytest.param('abcdef', 4, [97, 98, 99, 100], id='cut'),
        pytest.param('ab', 4, [97, 98], id='shorter'),
    ],
)
def test_text_is_its_bytes(text, max_steps, expected):
    spec = specs.text_spec(max_steps=max_steps)
    found = sequences.decode(tf.constant(text.encode()), spec)
    assert found.dtype == tf.uint8
    assert found.numpy().tolist() == expected
    assert (spec.vocabulary_size, spec.fixed_length) == (256, None)


VOCABULARY = 'e a\n漢😀é\ufeff\u0301'


def characters(data: bytes, vocabulary=VOCABULARY, max_steps=None) -> list[int]:
    spec = specs.character_spec(max_steps=max_steps).with_vocabulary(vocabulary)
    assert spec.vocabulary_size == len(vocabulary) + 1
    found = sequences.decode(tf.constant(data), spec)
    assert found.dtype == tf.uint16
    return found.numpy().tolist()


@pytest.mark.parametrize(
    ('text', 'expected'),
    [
        pytest.param('a e\n', [3, 2, 1, 4], id='ascii'),
        pytest.param('漢😀', [5, 6], id='multi-byte'),
        pytest.param('aZ漢字\0', [3, 0, 5, 0, 0], id='unknown'),
        pytest.param('\xe9e\u0301', [7, 1, 9], id='not-normalised'),
        pytest.param('\ufeffa\ufeff', [8, 3, 8], id='byte-order-mark'),
        pytest.param('', [], id='empty'),
    ],
)
def test_text_is_its_characters(text, expected):
    assert characters(text.encode()) == expected


def test_the_last_id_is_the_last_of_65535():
    vocabulary = ''.join(map(chr, range(0x10000, 0x10000 + specs.MAX_VOCABULARY)))
    text = vocabulary[-1] + vocabulary[0] + '\uffff' + '\U0010ffff'
    assert characters(text.encode(), vocabulary) == [65535, 1, 0, 0]


@pytest.mark.parametrize('max_steps', [None, 1, 3, 7])
def test_characters_are_those_of_python(max_steps):
    """Any bytes, most of them no UTF-8: the same characters, cut after as many of them."""
    spec = specs.character_spec(max_steps=max_steps)
    decode = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    random = np.random.RandomState(0)
    pieces = [p.encode() for p in 'aé漢😀\ufeff\0'] + [bytes([i]) for i in range(0x80, 0x100)]
    pieces += [b'\xed\xa0\x80', b'\xf0\x9f\x98', b'\xe2\x82', b'\xf4\x90\x80\x80', b'\xc0\xaf']
    for _ in range(3000):
        data = b''.join(pieces[i] for i in random.randint(0, len(pieces), random.randint(0, 9)))
        expected = [ord(c) for c in data.decode('utf-8', 'replace')][:max_steps]
        assert decode(data).numpy().tolist() == expected, data


def test_ids_are_text_again():
    spec = specs.character_spec().with_vocabulary(VOCABULARY)
    ids = np.array(characters('漢 Zé😀'.encode()), np.uint16)
    assert texts.text_of(ids, spec) == '漢 \ufffdé😀'
    assert texts.text_of(np.frombuffer(b'\xc3\xa9\xff', np.uint8), specs.text_spec()) == 'é\ufffd'


def test_works_in_graphs_with_a_static_shape():
    spec = SequenceSpec('image', image_size=5, channels=3)
    function = tf.function(
        lambda data: sequences.decode(data, spec), input_signature=[tf.TensorSpec([], tf.string)]
    )
    assert function.get_concrete_function().structured_outputs.shape == [25, 3]
    for size in (5, 9):
        data = encode_image(pixels(1, size, size))
        np.testing.assert_array_equal(function(data), steps(data, 5, 3))


@pytest.mark.parametrize('data', [b'', b'GIF', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff'], ids=repr)
def test_no_image_is_an_error(data):
    with pytest.raises(tf.errors.InvalidArgumentError):
        steps(data, 4, 3)


@pytest.mark.parametrize('permutation', [None, (2, 0, 3, 1)])
def test_three_steps_per_pixel(permutation):
    """Red, green and blue one after another, pixel by pixel of the order."""
    spec = SequenceSpec('image', image_size=2, steps_per_pixel=3, permutation=permutation)
    array = pixels(0, 2, 2)
    found = sequences.decode(tf.constant(encode_image(array)), spec).numpy()
    order = permutation or range(4)
    assert found.shape == (spec.fixed_length, 1) == (12, 1)
    assert found.reshape(-1).tolist() == [v for i in order for v in array.reshape(4, 3)[i].tolist()]
    np.testing.assert_array_equal(pixels_module.pictures_of(found, spec), array)


def test_pictures_of_a_batch():
    spec = SequenceSpec('image', image_size=4, channels=3, permutation=tuple(range(15, -1, -1)))
    arrays = np.stack([pixels(i, 4, 4) for i in range(5)])
    found = np.stack([sequences.decode(tf.constant(encode_image(a)), spec) for a in arrays])
    np.testing.assert_array_equal(pixels_module.pictures_of(found, spec), arrays)


@pytest.mark.parametrize('tokens', ['bytes', 'characters'])
@pytest.mark.parametrize(
    ('cut', 'most', 'expected'),
    [
        ('head', 4, 'abcd'),
        ('tail', 4, 'ghij'),
        ('both', 4, 'abij'),
        ('both', 5, 'abcij'),
        ('both', 1, 'a'),
        ('tail', 10, 'abcdefghij'),
        ('both', 9, 'abcdeghij'),
        ('both', 12, 'abcdefghij'),
        ('tail', 12, 'abcdefghij'),
    ],
)
def test_cuts(tokens, cut, most, expected):
    make = specs.text_spec if tokens == 'bytes' else specs.character_spec
    spec = make(max_steps=most, cut=cut)
    ids = sequences.decode(tf.constant(b'abcdefghij'), spec).numpy()
    assert ''.join(map(chr, ids)) == expected


def test_a_cut_counts_characters_not_bytes():
    spec = specs.character_spec(max_steps=3, cut='both').with_vocabulary('aé漢z')
    ids = sequences.decode(tf.constant('漢é----é漢'.encode()), spec).numpy()
    assert texts.text_of(ids, spec) == '漢é漢'


@pytest.mark.parametrize('cut', ['head', 'tail', 'both'])
@pytest.mark.parametrize('length', [0, 1, 4, 5, 9, 10, 11, 40, 200])
def test_long_documents_are_cut_as_if_they_were_decoded_whole(cut, length):
    """Characters of one to four bytes, on both sides of where the bytes are cut off beforehand."""
    text = ''.join('aé漢😀'[i * i % 7 % 4] for i in range(length)) + '😀' * (length // 2)
    spec = specs.character_spec(max_steps=5, cut=cut)
    expected = {'head': text[:5], 'tail': text[-5:], 'both': text[:3] + text[3:][-2:]}[cut]
    found = sequences.decode(tf.constant(text.encode()), spec).numpy()
    assert ''.join(map(chr, found)) == expected
