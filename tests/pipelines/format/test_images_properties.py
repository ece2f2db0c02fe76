"""Image files of any content: what PIL reads by the documented treatment, or a refusal."""

import contextlib
import io
import struct
import warnings
import zlib

import image_data
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume
from hypothesis import strategies as st
from image_data import judged, saved
from PIL import Image
from properties import damaged, holds, outcome

from pipelines.format.images import files
from pipelines.format.images.plain import Kind, kind_of
from pipelines.format.images.refusals import REASONS, reason_of

# PIL's words about damaged EXIF.
pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')
SIGNATURE = [tf.TensorSpec([], tf.string)]
any_file = tf.function(files.decode_pixels, input_signature=SIGNATURE, autograph=False)


def plain_first(data):
    """As the job does: the graph of a plain kind, and any file's after a failure."""
    kind = kind_of(data)
    if kind is not Kind.OTHER:
        with contextlib.suppress(tf.errors.InvalidArgumentError):
            return files.decode_plain(tf.constant(data), kind=kind)
    return any_file(data)


WAYS = (any_file, plain_first)


def decoded(data):
    """uint8 [H, W, 3] in both ways alike, or None for a refusal in both."""
    found = []
    for way in WAYS:
        pixels, error = outcome(tf.errors.InvalidArgumentError, way, data)
        assert error is None or reason_of(error)[0] in REASONS[1:]
        found.append(None if error else pixels.numpy())
    np.testing.assert_array_equal(found[0], found[1])
    return found[0]


def chunks_of(data):
    """[name, content] of each chunk of a PNG, as far as it is whole."""
    found, at = [], 8
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], 'big')
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def without_excess(data):
    """A PNG without a tRNS of more entries than its palette: libpng ignores it, PIL does not."""
    if not data.startswith(b'\x89PNG'):
        return data
    found = chunks_of(data)
    sizes = {name: len(content) for name, content in found}
    if 3 * sizes.get(b'tRNS', 0) <= sizes.get(b'PLTE', len(data)):
        return data
    return data[:8] + b''.join(image_data.chunk(*c) for c in found if c[0] != b'tRNS')


def pil_reads(data):
    """None where PIL reads nothing."""
    data = without_excess(data)
    try:
        image = Image.open(io.BytesIO(data))
        # A damaged header may ask for gigabytes, which is no error.
        assume(image.width * image.height <= 1 << 18)
        found = judged(data)
    except (Image.DecompressionBombError, Exception):  # noqa: BLE001 - it raises many kinds
        return None
    if image.format == 'GIF':
        # PIL fills the canvas beside the frame with a colour, the records with white.
        image = Image.open(io.BytesIO(data))
        left, top, right, bottom = image.tile[0].extents if image.tile else (0, 0, 0, 0)
        framed = np.full_like(found, 255)
        framed[top:bottom, left:right] = found[top:bottom, left:right]
        return framed
    return found


@st.composite
def pictures(draw, mode):
    """Small ones, of few colours or of any bytes."""
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    channels = {'L': 1, 'LA': 2, 'RGB': 3, 'RGBA': 4}[mode]
    size = width * height * channels
    values = draw(st.one_of(st.binary(min_size=size, max_size=size), st.just(bytes(size))))
    return Image.frombytes(mode, (width, height), values)


@st.composite
def tiffs(draw):
    """An EXIF directory, of which one entry may be the orientation; other tags only once each."""
    tags = draw(st.lists(st.integers(0x0100, 0x0117).filter(lambda t: t != 0x0112), unique=True))
    entries = [(tag, draw(st.integers(0, 65535))) for tag in tags]
    if draw(st.integers(0, 3)):
        entries.insert(draw(st.integers(0, len(entries))), (0x0112, draw(st.integers(0, 9))))
    return image_data.tiff(draw(st.sampled_from('<>')), *entries)


@st.composite
def pngs(draw):
    mode = draw(st.sampled_from(['1', 'L', 'LA', 'P', 'RGB', 'RGBA']))
    image = draw(pictures('RGB' if mode in ('1', 'P') else mode))
    settings = {}
    if mode == 'P':
        image = image.quantize(draw(st.integers(1, 256)))
        if draw(st.booleans()):
            settings['transparency'] = draw(st.integers(0, 255) | st.binary(max_size=20))
    elif mode == '1':
        image = image.convert('1')
    data = saved(image, optimize=draw(st.booleans()), **settings)
    if draw(st.booleans()):
        before = draw(st.sampled_from([b'IDAT', b'IEND']))
        data = image_data.with_chunk(data, b'eXIf', draw(tiffs()), before=before)
    return data


@st.composite
def recut_pngs(draw):
    """One chunk is damaged, not the first one, and its checksum is right."""
    data = draw(pngs())
    chunks = chunks_of(data)
    which = draw(st.integers(1, len(chunks) - 1))
    name, content = chunks[which]
    if name == b'IDAT' and draw(st.booleans()):
        # Damage to the rows, not to their compression.
        content = zlib.compress(draw(damaged(st.just(zlib.decompress(content)))))
    else:
        content = draw(damaged(st.just(content)))
    chunks[which] = (name, content)
    return data[:8] + b''.join(image_data.chunk(*c) for c in chunks)


@st.composite
def gifs(draw):
    image = draw(pictures('RGB')).quantize(draw(st.integers(2, 256)))
    settings = {'interlace': draw(st.integers(0, 1)), 'optimize': draw(st.booleans())}
    if draw(st.booleans()):
        settings['transparency'] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        settings |= {'save_all': True, 'append_images': [draw(pictures('RGB'))]}
    return saved(image, 'GIF', **settings)


@st.composite
def bmps(draw):
    bits = draw(st.sampled_from([1, 4, 8, 24, 32]))
    width, height = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    row = -(-width * bits // 8)
    rows = draw(st.binary(min_size=row * height, max_size=row * height))
    settings = {'height': draw(st.sampled_from([height, -height]))}
    if bits <= 8:
        # PIL makes an image of a gray palette, and shows indexes beyond it as they are.
        table = draw(st.binary(min_size=3 << bits, max_size=3 << bits))
        settings['palette'] = np.frombuffer(table, np.uint8).reshape(-1, 3)
    elif bits == 32 and draw(st.booleans()):
        masks = (0xFF0000, 0xFF00, 0xFF, draw(st.sampled_from([0, 0xFF000000])))
        header = draw(st.sampled_from([56, 108, 124]))
        settings |= {'compression': 3, 'header': header, 'masks': masks}
    rows = np.frombuffer(rows, np.uint8).reshape(height, row)
    return image_data.bmp(rows, bits, width=width, **settings)


@st.composite
def jpegs(draw):
    mode = draw(st.sampled_from(['L', 'RGB', 'CMYK']))
    image = draw(pictures('RGB')).convert(mode)
    progressive = draw(st.booleans())
    data = saved(image, 'JPEG', quality=95, subsampling=0, progressive=progressive)
    if draw(st.booleans()):
        first = draw(st.booleans())
        data = image_data.with_segment(data, b'Exif\0\0' + draw(tiffs()), first=first)
    return data


@holds(250, data=st.one_of(pngs(), gifs(), bmps()))
def test_what_is_written_is_read_exactly_as_pil_reads_it(data):
    np.testing.assert_array_equal(decoded(data), pil_reads(data))


@holds(80, data=jpegs())
def test_a_jpeg_is_read_nearly_as_pil_reads_it(data):
    """TensorFlow takes libjpeg's fast integer transform, PIL the slow one."""
    found, want = decoded(data), pil_reads(data)
    assert found.shape == want.shape
    assert np.abs(found.astype(int) - want).max() <= 16


damaged_files = st.one_of(
    recut_pngs(),
    *(damaged(kind, favourites=b'\0\1\xff') for kind in (pngs(), gifs(), bmps())),
)


@holds(300, data=damaged_files)
def test_what_is_read_of_a_damaged_file_is_what_pil_reads(data):
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter('always')
        want = pil_reads(data)
    found = decoded(data)
    if found is None or want is None:
        return
    if said:
        # Of damaged EXIF PIL leaves out more than what is damaged ('Corrupt EXIF data', 'Truncated
        # File Read'): the orientation too.
        assert any(np.array_equal(found, turned) for turned in orientations(want))
    else:
        np.testing.assert_array_equal(found, want)


def orientations(pixels):
    """The pixels in all eight orientations."""
    for way in (pixels, pixels[:, ::-1]):
        for quarters in range(4):
            yield np.rot90(way, quarters)


@holds(150, data=damaged(jpegs(), favourites=b'\0\1\xff'))
def test_a_damaged_jpeg_keeps_its_size_or_is_refused(data):
    """Its pixels may be anything: JPEGs have no checksums."""
    want = pil_reads(data)
    found = decoded(data)
    if found is not None and want is not None:
        assert found.shape == want.shape


@holds(
    80,
    start=st.sampled_from(
        [b'', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff', b'\xff\xd8\xff\xe1\0\x20Exif\0\0', b'GIF89a']
        + [b'BM', b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0']
    ),
    rest=st.binary(),
)
def test_any_bytes_are_no_picture(start, rest):
    data = start + rest
    assume(data[:3] != b'GIF' or struct.unpack('<HH', data[6:10].ljust(4, b'\0')) < (999, 999))
    assert decoded(data) is None or pil_reads(data) is not None


UPRIGHT = saved(Image.frombytes('RGB', (2, 3), bytes(range(18))))


def turns(body):
    """The picture as it is, and turned by each sound entry that stands somewhere in the EXIF."""
    found = [judged(UPRIGHT)]
    order = {b'II*\0': '<', b'MM\0*': '>'}.get(body[:4])
    for value in range(1, 9) if order else ():
        if struct.pack(f'{order}HHIH', 0x0112, 3, 1, value) in body:
            data = image_data.with_chunk(
                UPRIGHT, b'eXIf', image_data.tiff(order, (0x0112, value)), before=b'IDAT'
            )
            found.append(judged(data))
    return found


@holds(200, body=st.one_of(damaged(tiffs()), st.binary(), tiffs().map(lambda t: t[:-4])))
def test_nothing_but_an_orientation_turns_a_picture(body):
    found = decoded(image_data.with_chunk(UPRIGHT, b'eXIf', body, before=b'IDAT'))
    assert any(np.array_equal(found, turned) for turned in turns(body))
