"""Every kind of image file, against PIL and against pixels worked out in float64."""

import contextlib
import struct
import zlib

import image_data
import numpy as np
import pytest
import tensorflow as tf
from image_data import GRAY, GRAY_ALPHA, PALETTE, RGB, RGBA, judged, saved, tiff
from PIL import Image
from source_data import encode_image, exif, pixels

from pipelines.format.images import files
from pipelines.format.images.limits import MAX_PIXELS
from pipelines.format.images.plain import Kind, kind_of
from pipelines.format.images.refusals import REASONS, reason_of

HEIGHT, WIDTH = 11, 13
DAMAGED = ('not a readable image: damaged or cut off', '')
OTHER_BMP = 'a kind of BMP that is not read: save it as PNG'
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGBA: 4}
DEPTHS = {GRAY: (1, 2, 4, 8, 16), PALETTE: (1, 2, 4, 8)}
PNGS = [(t, d) for t in CHANNELS for d in DEPTHS.get(t, (8, 16))]

decode_in_graph = tf.function(
    files.decode_pixels, input_signature=[tf.TensorSpec([], tf.string)], autograph=False
)


def decode_in_batches(data: bytes) -> tf.Tensor:
    """As the job does: the graph of a plain kind, and any file's after a failure."""
    kind = kind_of(data)
    if kind is not Kind.OTHER:
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            return files.decode_plain(tf.constant(data), kind=kind)
    return decode_in_graph(data)


def decoded(data: bytes) -> np.ndarray:
    """In both of the ways that there are, which must not differ."""
    found = decode_in_graph(data).numpy()
    np.testing.assert_array_equal(decode_in_batches(data).numpy(), found)
    return found


def refused(data: bytes) -> tuple[str, str]:
    reasons = []
    for decode in (decode_in_graph, decode_in_batches):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            decode(data)
        reasons.append(reason_of(caught.value))
    assert reasons[0] == reasons[1]
    return reasons[0]


@pytest.mark.parametrize(
    ('data', 'kind'),
    [
        (saved(Image.new('RGB', (3, 2))), Kind.PNG),
        (saved(Image.new('L', (3, 2))), Kind.PNG),
        (saved(Image.new('P', (3, 2))), Kind.PNG),
        (saved(Image.new('RGBA', (3, 2))), Kind.OTHER),
        (saved(Image.new('LA', (3, 2))), Kind.OTHER),
        (saved(Image.new('P', (3, 2)), transparency=0), Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)))[:20], Kind.OTHER),
        (image_data.sized_png(1 << 16, 1 << 16), Kind.OTHER),
        (image_data.sized_png(0, 5), Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)), 'JPEG'), Kind.JPEG),
        (saved(Image.new('L', (3, 2)), 'JPEG'), Kind.JPEG),
        (saved(Image.new('RGB', (3, 2)), 'JPEG', progressive=True), Kind.JPEG),
        (saved(Image.new('CMYK', (3, 2)), 'JPEG'), Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)), 'JPEG', exif=b'Exif\0\0II*\0'), Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)), 'JPEG') + b'\xff\xda' * 100, Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)), 'JPEG')[:30], Kind.OTHER),
        (saved(Image.new('RGB', (3, 2)), 'GIF'), Kind.OTHER),
        (b'', Kind.OTHER),
    ],
    ids=range(18),
)
def test_which_files_are_plain(data, kind):
    assert kind_of(data) is kind


def smooth(mode='RGB') -> Image.Image:
    """As photographs are, and the same from no two sides; TensorFlow's JPEGs are less exact."""
    ramp, other = np.linspace(0, 255, 40), np.linspace(200, 20, 24)
    color = np.stack(np.broadcast_arrays(ramp[:, None], other, (255 - ramp)[:, None] * 0.6), -1)
    return Image.fromarray(color.astype(np.uint8)).convert(mode)


def assert_close(found: np.ndarray, expected: np.ndarray, most: int = 6) -> None:
    """TensorFlow takes libjpeg's fast integer transform, PIL the slow one."""
    assert found.shape == expected.shape
    difference = np.abs(found.astype(int) - expected)
    assert difference.max() <= most
    assert difference.mean() < 1.5


def samples(color_type: int, depth: int) -> np.ndarray:
    shape = (HEIGHT, WIDTH, CHANNELS[color_type])
    return np.random.RandomState(depth).randint(0, 1 << depth, shape)


def expected_png(values, color_type, depth, palette=None, alpha=None) -> np.ndarray:
    """From samples: 16 bits lose their lower eight, fewer than 8 are stretched."""
    if color_type == PALETTE:
        colors = palette[values[..., 0]]
    else:
        eight = values >> 8 if depth == 16 else values * 255 // ((1 << depth) - 1)
        if color_type in (GRAY_ALPHA, RGBA):
            eight, alpha = eight[..., :-1], eight[..., -1]
        colors = np.broadcast_to(eight, (HEIGHT, WIDTH, 3))
    alpha = np.full((HEIGHT, WIDTH), 255) if alpha is None else alpha
    return image_data.over_white(colors, alpha)


@pytest.mark.parametrize('interlaced', [False, True], ids=['plain', 'interlaced'])
@pytest.mark.parametrize(('color_type', 'depth'), PNGS)
def test_png(color_type, depth, interlaced):
    values = samples(color_type, depth)
    palette = pixels(1, 1, 1 << depth)[0] if color_type == PALETTE else None
    data = image_data.png(values, color_type, depth, interlaced=interlaced, palette=palette)
    expected = expected_png(values, color_type, depth, palette)
    np.testing.assert_array_equal(decoded(data), expected)
    if (color_type, depth) != (GRAY, 16):  # PIL keeps these sixteen bits.
        np.testing.assert_array_equal(judged(data), expected)


@pytest.mark.parametrize('interlaced', [False, True], ids=['plain', 'interlaced'])
@pytest.mark.parametrize(
    ('color_type', 'depth'), [case for case in PNGS if case[0] in (GRAY, RGB, PALETTE)]
)
def test_png_with_a_transparent_colour(color_type, depth, interlaced):
    """One colour of all bits (not only of those that are kept), or an alpha for each index."""
    values, palette = samples(color_type, depth), None
    if color_type == PALETTE:
        palette = pixels(2, 1, 1 << depth)[0]
        table = np.random.RandomState(3).randint(0, 256, 1 << depth)
        alpha, content = table[values[..., 0]], table.astype(np.uint8).tobytes()
    else:
        values[2, 3] = values[5, 7]
        if depth == 16:
            values[2, 4] = values[2, 3] ^ 1
        chosen = values[2, 3]
        alpha = np.where((values == chosen).all(-1), 0, 255)
        assert 0 < (alpha == 0).sum() < alpha.size
        content = chosen.astype('>u2').tobytes()
    data = image_data.png(
        values, color_type, depth, interlaced=interlaced, palette=palette, transparency=content
    )
    expected = expected_png(values, color_type, depth, palette, alpha)
    np.testing.assert_array_equal(decoded(data), expected)
    if depth == 8 or color_type == PALETTE:  # PIL does not stretch a transparent gray of 4 bits.
        np.testing.assert_array_equal(judged(data), expected)


def test_fewer_alphas_than_colours():
    palette = pixels(4, 1, 16)[0]
    values = samples(PALETTE, 4)
    data = image_data.png(values, PALETTE, 4, palette=palette, transparency=b'\0\x40')
    np.testing.assert_array_equal(decoded(data), judged(data))


@pytest.mark.parametrize('content', [b'', b'\0', bytes(300)], ids=len)
@pytest.mark.parametrize(
    ('color_type', 'depth'), [case for case in PNGS if case[0] in (GRAY, RGB, PALETTE)]
)
def test_transparency_of_a_wrong_size_is_ignored(color_type, depth, content):
    """As libpng ignores it; asked for alpha all the same, it gives little of it to few bits."""
    values, palette = samples(color_type, depth), None
    if color_type == PALETTE:
        # Shorter than the palette is right: the other colours are opaque.
        palette, content = pixels(2, 1, 1 << depth)[0], content * (len(content) > 1)
    data = image_data.png(values, color_type, depth, palette=palette, transparency=content)
    np.testing.assert_array_equal(decoded(data), expected_png(values, color_type, depth, palette))


@pytest.mark.parametrize('name', [b'tRNS', b'eXIf'])
def test_a_word_among_other_bytes_is_no_chunk(name):
    """Where few bits are asked for alpha, libpng gives one that hides the picture."""
    values = samples(GRAY, 1)
    plain = image_data.png(values, GRAY, 1)
    data = image_data.with_chunk(plain, b'tEXt', b'Comment\0' + name, before=b'IDAT')
    data = image_data.with_chunk(data, b'tRNS', b'\0\0', before=b'IEND')
    np.testing.assert_array_equal(decoded(data), expected_png(values, GRAY, 1))


@pytest.mark.parametrize('alpha', range(0, 256, 15))
def test_alpha_to_the_nearest_integer(alpha):
    colors = np.arange(256).reshape(16, 16)
    values = np.stack([colors, np.full_like(colors, alpha)], -1)
    found = decoded(image_data.png(values, GRAY_ALPHA, 8))
    exact = (colors * alpha + 255 * (255 - alpha)) / 255
    assert np.abs(found[..., 0] - exact).max() <= 0.5


@pytest.mark.parametrize('progressive', [False, True], ids=['baseline', 'progressive'])
@pytest.mark.parametrize('mode', ['L', 'RGB', 'CMYK'])
def test_jpeg(mode, progressive):
    data = saved(smooth(mode), 'JPEG', quality=90, subsampling=0, progressive=progressive)
    assert_close(decoded(data), judged(data))


@pytest.mark.parametrize('mode', ['L', 'RGB'])
def test_line_art_in_a_jpeg_is_what_other_readers_see(mode):
    """At quality 100, where the fast transform is off by up to 255 levels."""
    chequered = np.indices([24, 40]).sum(axis=0) % 2 * 255
    noise = np.random.RandomState(0).randint(0, 256, [24, 40])
    for values in (chequered, noise):
        picture = Image.fromarray(values.astype(np.uint8)).convert(mode)
        data = saved(picture, 'JPEG', quality=100, subsampling=0)
        np.testing.assert_array_equal(decoded(data), judged(data))
    fast = files.decode_pixels(tf.constant(data), 'fast').numpy().astype(int)
    assert np.abs(fast - judged(data)).max() > 30


@pytest.mark.parametrize('strays', [bytes(16), b'\1' * 10_000, b'\xff\0' * 3, b'\0\xff\0'])
def test_stray_bytes_between_segments_are_passed_over(strays):
    """As libjpeg does, with Exif and without it."""
    for settings in ({}, {'exif': exif(6)}):
        data = saved(smooth(), 'JPEG', quality=95, subsampling=0, **settings)
        at = data.index(b'\xff\xdb')
        damaged = data[:at] + strays + data[at:]
        assert_close(decoded(damaged), judged(data))


def test_scans_of_a_jpeg_are_bounded(monkeypatch):
    data = saved(smooth('L'), 'JPEG', progressive=True)
    last = data.rindex(b'\xff\xda')
    end = data.rindex(b'\xff\xd9')
    many = data[:end] + data[last:end] * 10_001 + data[end:]
    assert refused(many)[0] == 'a JPEG of more scans than are read: save it again'
    assert_close(decoded(data + b'\xff\xda' * 20_000), judged(data))
    comment = b'\xff\xfe\x4e\x22' + b'\xff\xda\xff\xd9' * 5000
    assert_close(decoded(data[:2] + comment * 2 + data[2:]), judged(data))
    hidden = data[:end] + comment + data[last:end] * 10_001 + data[end:]
    assert refused(hidden)[0] == 'a JPEG of more scans than are read: save it again'
    # Large pictures may have fewer scans.
    large = bytearray(data[:end] + data[last:end] * 120 + data[end:])
    at = large.index(b'\xff\xc2') + 5
    large[at : at + 4] = struct.pack('>HH', 11_000, 11_000)
    assert refused(bytes(large))[0] == 'a JPEG of more scans than are read: save it again'


def test_transparent_pixels_have_a_lower_bound():
    """They take twice the memory of others."""
    data = bytearray(image_data.png(np.zeros((1, 1, 4)), RGBA, 16))
    for height, reason in (
        (1 << 13, DAMAGED[0]),
        ((1 << 13) + 1, 'more than 67108864 pixels with tr'),
    ):
        data[16:24] = struct.pack('>II', 1 << 13, height)
        data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
        assert refused(bytes(data))[0].startswith(reason)


def test_ycck():
    """PIL writes none: CMYK whose Adobe segment says that its first three channels are YCC."""
    data = bytearray(saved(smooth('CMYK'), 'JPEG', quality=95, subsampling=0))
    data[data.index(b'Adobe') + 11] = 2
    plain = judged(saved(smooth('CMYK'), 'JPEG', quality=95, subsampling=0))
    assert np.abs(judged(bytes(data)).astype(int) - plain).max() > 50
    assert_close(decoded(bytes(data)), judged(bytes(data)), most=10)


@pytest.mark.parametrize('with_exif', [False, True])
def test_cmyk_that_may_be_inverted_is_refused(with_exif):
    settings = {'exif': exif(6)} if with_exif else {}
    data = image_data.without_adobe(saved(smooth('CMYK'), 'JPEG', **settings))
    assert refused(data)[0].startswith('a CMYK JPEG that does not say')


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_exif_turns_as_pil_does(kind, orientation):
    data = saved(smooth(), kind, exif=exif(orientation))
    assert judged(data).shape[:2] == ((40, 24) if orientation < 5 else (24, 40))
    assert_close(decoded(data), judged(data), most=6 if kind == 'JPEG' else 0)


@pytest.mark.parametrize('order', ['<', '>'], ids=['little', 'big'])
@pytest.mark.parametrize('first', [False, True], ids=['last', 'first'])
@pytest.mark.parametrize('fill', [b'', b'\xff\xff'], ids=['', 'fill'])
def test_exif_anywhere_before_the_pixels_of_a_jpeg(order, first, fill):
    body = b'Exif\0\0' + tiff(order, (0x0100, 5), (0x0112, 6))
    data = saved(smooth(), 'JPEG')
    turned = image_data.with_segment(data, body, fill=fill, first=first)
    turned = image_data.with_segment(turned, b'http://ns.adobe.com/xap/1.0/\0<x/>', first=True)
    np.testing.assert_array_equal(decoded(turned), np.rot90(decoded(data), -1))


def test_the_first_exif_of_a_jpeg_counts():
    data = saved(smooth(), 'JPEG')
    for orientation in (3, 6):
        body = b'Exif\0\0' + tiff('>', (0x0112, orientation))
        data = image_data.with_segment(data, body, first=True)
    np.testing.assert_array_equal(decoded(data), np.rot90(decoded(saved(smooth(), 'JPEG')), -1))


@pytest.mark.parametrize('before', [b'IDAT', b'IEND'])
@pytest.mark.parametrize('order', ['<', '>'], ids=['little', 'big'])
def test_exif_on_either_side_of_the_pixels_of_a_png(before, order):
    array = pixels(0, 5, 7)
    body = tiff(order, (0x0112, 8))
    data = image_data.with_chunk(encode_image(array), b'eXIf', body, before=before)
    np.testing.assert_array_equal(decoded(data), np.rot90(array))


def test_a_turned_png_with_alpha():
    image = Image.fromarray(pixels(0, 5, 7, 4), 'RGBA')
    data = saved(image, exif=exif(7))
    np.testing.assert_array_equal(decoded(data), judged(data))


@pytest.mark.parametrize(
    'body',
    [
        b'',
        b'II',
        b'XX*\0' + tiff('<', (0x0112, 6))[4:],
        b'II+\0' + tiff('<', (0x0112, 6))[4:],
        b'MM*\0' + tiff('>', (0x0112, 6))[4:],
        tiff('<'),
        tiff('<', (0x0112, 0)),
        tiff('<', (0x0112, 9)),
        tiff('<', (0x0113, 6)),
        tiff('>', (0x0112, 6))[:12],
        tiff('>', (0x0112, 6))[:21],
        tiff('>', (0x0112, 6)).replace(b'\0\3\0\0\0\1', b'\0\3\0\0\0\2'),
        tiff('>', (0x0112, 6)).replace(b'\0\3\0\0\0\1', b'\0\2\0\0\0\1'),
        b'II*\0\xff\xff\xff\xff',
        b'II*\0\x08\0\0\0\xff\xff',
    ],
    ids=lambda body: body.hex() or 'none',
)
def test_nonsense_is_upright(body):
    array = pixels(0, 5, 7)
    png = image_data.with_chunk(encode_image(array), b'eXIf', body, before=b'IDAT')
    np.testing.assert_array_equal(decoded(png), array)
    plain = saved(smooth(), 'JPEG')
    jpeg = image_data.with_segment(plain, b'Exif\0\0' + body)
    np.testing.assert_array_equal(decoded(jpeg), decoded(plain))


def test_a_jpeg_whose_headers_cannot_be_followed_is_refused():
    """It may be turned, and nobody could say."""
    data = image_data.with_segment(saved(smooth(), 'JPEG'), b'Exif\0\0' + tiff('<', (0x0112, 6)))
    at = data.index(b'\xff\xdb')
    assert refused(data[:at] + b'\xff\xe2\0\1' + data[at:]) == DAMAGED


def gif(**settings) -> bytes:
    return saved(smooth().quantize(61), 'GIF', **settings)


def gif_head(data: bytes) -> int:
    """Where the first frame's descriptor stands."""
    return data.index(b',\0\0\0\0\x18\0\x28\0')


@pytest.mark.parametrize('interlace', [0, 1])
@pytest.mark.parametrize('transparency', [None, 17])
def test_gif(interlace, transparency):
    settings = {} if transparency is None else {'transparency': transparency}
    data = gif(interlace=interlace, optimize=False, **settings)
    assert (b'!\xf9\4' in data) == (transparency is not None)
    np.testing.assert_array_equal(decoded(data), judged(data))


@pytest.mark.parametrize('mode', ['1', 'L'])
def test_gif_of_gray(mode):
    data = saved(smooth(mode), 'GIF')
    np.testing.assert_array_equal(decoded(data), judged(data))


def test_gif_of_a_large_noisy_picture():
    """Many blocks of indexes."""
    image = Image.fromarray(pixels(0, 90, 131, 1))
    np.testing.assert_array_equal(decoded(saved(image, 'GIF')), judged(saved(image, 'GIF')))


def test_gif_with_parts_of_all_sizes():
    data = gif()
    at = gif_head(data) + 10
    at += 1 + (3 * (2 << data[at - 1] % 8) if data[at - 1] > 127 else 0)
    content, position = b'', at
    while data[position]:
        content += data[position + 1 : position + 1 + data[position]]
        position += 1 + data[position]
    parts, random = [], np.random.RandomState(0)
    while content:
        size = random.choice([1, 2, 7, 7, 7, 30])
        parts.append(bytes([len(content[:size])]) + content[:size])
        content = content[size:]
    assert len(parts) > 10
    np.testing.assert_array_equal(
        decoded(data[:at] + b''.join(parts) + data[position:]), decoded(data)
    )


def test_a_frame_smaller_than_its_canvas_lies_on_white():
    data = bytearray(gif())
    at = gif_head(data)
    data[6:10] = struct.pack('<HH', 30, 50)
    data[at + 1 : at + 5] = struct.pack('<HH', 4, 7)
    expected = np.full((50, 30, 3), 255, np.uint8)
    expected[7:47, 4:28] = judged(gif())
    np.testing.assert_array_equal(decoded(bytes(data)), expected)


def test_a_frame_larger_than_its_canvas_enlarges_it():
    data = bytearray(gif())
    data[6:10] = struct.pack('<HH', 3, 0)
    np.testing.assert_array_equal(decoded(bytes(data)), judged(gif()))


def test_only_the_first_frame_is_read():
    frames = [Image.fromarray(pixels(i, 9, 9, 1)) for i in range(3)]
    data = saved(frames[0], 'GIF', save_all=True, append_images=frames[1:], loop=0)
    np.testing.assert_array_equal(decoded(data), judged(data))
    second = data.index(b',', data.index(b',\0\0\0\0\x09\0\x09\0') + 1)
    np.testing.assert_array_equal(decoded(data[: len(data) // 2 + 60]), judged(data))
    assert second < len(data)


def test_a_local_palette():
    data = gif(optimize=False)
    at, size = gif_head(data), 3 * (2 << data[10] % 8)
    table, flags = data[13 : 13 + size], bytes([data[at + 9] & 0x40 | 0x80 | data[10] % 8])
    local = data[:10] + bytes([data[10] & 0x7F]) + data[11:13] + data[13 + size : at + 9]
    local += flags + table[::-1] + data[at + 10 :]
    np.testing.assert_array_equal(decoded(local), judged(local))
    assert (decoded(local) != decoded(data)).any()


def test_gif_without_the_colours_that_it_uses_is_refused():
    data = saved(Image.fromarray(pixels(0, 9, 9, 1)), 'GIF', optimize=False)
    assert data[10] % 8 == 7
    assert refused(data[:10] + b'\x80' + data[11:19] + data[13 + 768 :]) == DAMAGED
    assert refused(data[:10] + b'\0' + data[11:13] + data[13 + 768 :]) == DAMAGED


def test_bmp_of_pil():
    for mode in ('1', 'L', 'P', 'RGB', 'RGBA'):
        image = Image.fromarray(pixels(0, HEIGHT, WIDTH, 4), 'RGBA').convert('RGB').convert(mode)
        data = saved(image, 'BMP')
        np.testing.assert_array_equal(decoded(data), judged(data), err_msg=mode)
        np.testing.assert_array_equal(decoded(data + b'more'), judged(data), err_msg=mode)


@pytest.mark.parametrize('top_down', [False, True])
@pytest.mark.parametrize('bits', [1, 4, 8, 24, 32])
def test_bmp(bits, top_down):
    rows = pixels(bits, HEIGHT, -(-WIDTH * bits // 8), 1)
    palette = pixels(1, 1, 1 << bits)[0] if bits <= 8 else None
    height = -HEIGHT if top_down else HEIGHT
    data = image_data.bmp(rows, bits, width=WIDTH, height=height, palette=palette)
    np.testing.assert_array_equal(decoded(data), judged(data))


@pytest.mark.parametrize('header', [40, 56, 108, 124])
@pytest.mark.parametrize('alpha', [0, 0xFF000000])
def test_bmp_with_masks(header, alpha):
    masks = (0xFF0000, 0xFF00, 0xFF, alpha)[: 3 if header == 40 else 4]
    rows = pixels(3, HEIGHT, 4 * WIDTH, 1)
    data = image_data.bmp(rows, 32, width=WIDTH, compression=3, header=header, masks=masks)
    np.testing.assert_array_equal(decoded(data), judged(data))


def test_bmp_with_a_short_palette():
    rows = pixels(3, HEIGHT, WIDTH, 1) % 5
    palette = pixels(1, 1, 5)[0]
    data = image_data.bmp(rows, 8, width=WIDTH, palette=palette, colors=5)
    np.testing.assert_array_equal(decoded(data), judged(data))
    assert refused(image_data.bmp(rows + 1, 8, width=WIDTH, palette=palette, colors=5)) == DAMAGED


@pytest.mark.parametrize(
    ('bits', 'settings', 'detail'),
    [
        (16, {}, '16 bits, compression 0'),
        (8, {'compression': 1}, '8 bits, compression 1'),
        (4, {'compression': 2}, '4 bits, compression 2'),
        (24, {'compression': 4}, '24 bits, compression 4'),
        (16, {'compression': 3, 'masks': (0xF800, 0x7E0, 0x1F)}, '16 bits, compression 3'),
        (32, {'compression': 3, 'masks': (0xFF, 0xFF00, 0xFF0000)}, '32 bits, compression 3'),
        (24, {'header': 12}, '24 bits, compression 0'),
    ],
    ids=str,
)
def test_other_bmps_are_refused(bits, settings, detail):
    rows = pixels(0, HEIGHT, WIDTH * 4, 1)
    data = image_data.bmp(rows, bits, width=WIDTH, **settings)
    if settings.get('header') == 12:
        data = data[:14] + struct.pack('<IHHHH', 12, WIDTH, HEIGHT, 1, 24) + data[26:]
    assert refused(data) == (OTHER_BMP, detail)


def whole_files() -> dict[str, bytes]:
    array = pixels(0, 9, 12)
    alpha = image_data.png(pixels(0, 9, 12, 4), RGBA, 8, interlaced=True)
    jpeg = {'quality': 60, 'exif': exif(6)}
    return {
        'png': encode_image(array, exif=exif(6)),
        'interlaced': alpha,
        'jpeg': encode_image(array, 'JPEG', **jpeg),
        'progressive': encode_image(array, 'JPEG', progressive=True, **jpeg),
        'restarts': encode_image(pixels(0, 30, 30), 'JPEG', restart_marker_blocks=1),
        'gif': encode_image(array[..., 0], 'GIF', optimize=True),
        'bmp': encode_image(array, 'BMP'),
        'bmp-palette': encode_image(array[:, :, 0], 'BMP'),
    }


@pytest.mark.parametrize('name', whole_files())
def test_every_cut_is_refused(name):
    data = whole_files()[name]
    expected = decoded(data)
    read = 0
    for end in [*range(0, len(data), 1 + len(data) // 250), len(data) - 2, len(data) - 1]:
        try:
            found = decoded(data[:end])
        except tf.errors.InvalidArgumentError as error:
            found, reason = None, reason_of(error)[0]
        if found is None:
            assert reason in REASONS[1:4]
        else:
            # A GIF without its last byte lacks nothing of its frame.
            np.testing.assert_array_equal(found, expected)
            read += 1
    assert read <= 2


@pytest.mark.parametrize(
    ('data', 'reason', 'detail'),
    [
        pytest.param(b'', 'the file is empty', '', id='empty'),
        pytest.param(b'hello', 'neither a PNG, a JPEG, a GIF nor a BMP file', '', id='text'),
        pytest.param(b'\xff', 'neither a PNG, a JPEG, a GIF nor a BMP file', '', id='byte'),
        pytest.param(
            encode_image(pixels(0), 'WEBP'),
            'neither a PNG, a JPEG, a GIF nor a BMP file',
            '',
            id='webp',
        ),
        pytest.param(b'\x89PNG\n', 'neither a PNG, a JPEG, a GIF nor a BMP file', '', id='lf'),
        pytest.param(b'\x89PNG\r\n\x1a\n', *DAMAGED, id='png'),
        pytest.param(b'\xff\xd8\xff\xd9', *DAMAGED, id='jpeg'),
        pytest.param(b'GIF89a', *DAMAGED, id='gif'),
        pytest.param(b'GIF89a' + bytes(7) + b';', *DAMAGED, id='gif-of-nothing'),
        pytest.param(b'BM', *DAMAGED, id='bmp'),
        pytest.param(image_data.sized_png(0, 4), *DAMAGED, id='png-0'),
        pytest.param(image_data.sized_png(4, 1 << 31), *DAMAGED, id='png-negative'),
        pytest.param(
            image_data.sized_png(1 << 14, (1 << 13) + 1), REASONS[4], '16384 x 8193', id='png-large'
        ),
        pytest.param(
            image_data.sized_png((1 << 31) - 1, (1 << 31) - 1),
            REASONS[4],
            '2147483647 x 2147483647',
            id='png-huge',
        ),
        pytest.param(
            image_data.sized_jpeg(encode_image(pixels(0), 'JPEG'), width=65500, height=3000),
            REASONS[4],
            '65500 x 3000',
            id='jpeg-large',
        ),
        pytest.param(
            image_data.sized_jpeg(encode_image(pixels(0), 'JPEG'), width=0, height=30),
            *DAMAGED,
            id='jpeg-0',
        ),
        pytest.param(
            b'GIF89a' + struct.pack('<HH', 65535, 65535) + gif()[10:],
            REASONS[4],
            '65535 x 65535',
            id='gif-large',
        ),
        pytest.param(
            image_data.bmp(np.zeros((1, 4)), 32, width=1 << 30, height=-(1 << 31)),
            REASONS[4],
            '1073741824 x 2147483648',
            id='bmp-large',
        ),
        pytest.param(image_data.bmp(np.zeros((1, 4)), 32, width=-1), *DAMAGED, id='bmp-negative'),
        pytest.param(image_data.bmp(np.zeros((1, 4)), 32, width=2), *DAMAGED, id='bmp-cut'),
    ],
)
def test_refusals(data, reason, detail):
    assert refused(data) == (reason, detail)


def test_the_largest_picture_is_not_refused_for_its_size():
    """But for being cut off, which is found out only by decoding."""
    assert refused(image_data.sized_png(1 << 20, MAX_PIXELS >> 20)) == DAMAGED


def test_outside_of_graphs_it_says_the_same():
    data = saved(smooth(), exif=exif(6))
    np.testing.assert_array_equal(files.decode_pixels(tf.constant(data)), judged(data))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        files.decode_pixels(tf.constant(image_data.sized_png(1 << 15, 1 << 14)))
    assert reason_of(caught.value) == (REASONS[4], '32768 x 16384')


class Served(tf.Module):
    """As trainer/serving/export.py decodes, but for the resizing."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def batch(self, data):
        def one(item):
            found = tf.data.Dataset.from_tensors(item).map(files.decode_pixels)
            nothing = tf.data.Dataset.from_tensors(tf.zeros([0, 0, 3], tf.uint8))
            pixels = found.ignore_errors().concatenate(nothing).take(1).get_single_element()
            return tf.reshape(pixels, [-1])

        signature = tf.RaggedTensorSpec([None], tf.uint8, ragged_rank=0)
        return tf.map_fn(one, data, fn_output_signature=signature)

    @tf.function(input_signature=[tf.TensorSpec([], tf.string)], autograph=False)
    def single(self, data):
        return files.decode_pixels(data)


def test_a_saved_model_gives_the_same_pixels(tmp_path):
    alpha = Image.fromarray(pixels(0, 5, 7, 4), 'RGBA')
    files = [
        saved(smooth(), 'JPEG', exif=exif(6)),
        image_data.sized_png(1 << 15, 1 << 14),
        image_data.png(samples(RGB, 16), RGB, 16),
        saved(alpha, exif=exif(8)),
        b'text',
        gif(transparency=3),
        saved(smooth('P'), 'BMP'),
    ]
    tf.saved_model.save(Served(), str(tmp_path))
    served = tf.saved_model.load(str(tmp_path))
    for data, found in zip(files, served.batch(tf.constant(files)), strict=True):
        if data in (files[1], files[4]):
            assert found.shape == [0]
            continue
        np.testing.assert_array_equal(found, decoded(data).reshape(-1))
        np.testing.assert_array_equal(served.single(tf.constant(data)), decoded(data))
    assert_close(decoded(files[0]), judged(files[0]))
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        served.single(tf.constant(files[1]))
    assert reason_of(caught.value) == (REASONS[4], '32768 x 16384')
