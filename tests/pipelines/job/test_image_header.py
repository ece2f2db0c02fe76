"""Sizes and EXIF orientations, written by PIL or byte by byte."""

import struct
import zlib

import numpy as np
import pytest
from source_data import encode_image, exif, pixels

from pipelines.job.image_header import Header, read_header


def tiff(order: str, *entries: tuple[int, int]) -> bytes:
    """A TIFF directory of SHORT entries."""
    mark = {'<': b'II', '>': b'MM'}[order]
    rows = [struct.pack(f'{order}HHIHH', tag, 3, 1, value, 0) for tag, value in entries]
    head = mark + struct.pack(f'{order}HIH', 42, 8, len(rows))
    return head + b''.join(rows) + bytes(4)


def with_exif_chunk(png: bytes, body: bytes, *, before: bytes) -> bytes:
    """A PNG with an eXIf chunk put in front of another one."""
    chunk = b'eXIf' + body
    whole = struct.pack('>I', len(body)) + chunk + struct.pack('>I', zlib.crc32(chunk))
    at = png.index(before) - 4
    return png[:at] + whole + png[at:]


def with_segment(jpeg: bytes, body: bytes, *, fill: bytes = b'') -> bytes:
    """A JPEG with an APP1 segment after all others that stand before the pixels."""
    at = jpeg.index(b'\xff\xda')
    segment = fill + b'\xff\xe1' + struct.pack('>H', len(body) + 2) + body
    return jpeg[:at] + segment + jpeg[at:]


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
@pytest.mark.parametrize('channels', [1, 3])
def test_sizes(kind, channels):
    data = encode_image(pixels(0, 7, 300, channels), kind)
    assert read_header(data) == Header(width=300, height=7, orientation=1)


def test_the_size_of_a_progressive_jpeg():
    data = encode_image(pixels(0, 20, 30), 'JPEG', progressive=True)
    assert b'\xff\xc2' in data
    assert read_header(data) == Header(30, 20, 1)


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_orientations(kind, orientation):
    data = encode_image(pixels(0), kind, exif=exif(orientation))
    assert read_header(data) == Header(4, 4, orientation)


@pytest.mark.parametrize('order', ['<', '>'], ids=['little', 'big'])
def test_orientation_in_both_byte_orders(order):
    body = b'Exif\0\0' + tiff(order, (0x0100, 5), (0x0112, 6))
    plain = encode_image(pixels(0), 'JPEG')
    assert read_header(with_segment(plain, body)) == Header(4, 4, 6)
    # Any number of 0xff bytes may stand before a marker.
    assert read_header(with_segment(plain, body, fill=b'\xff\xff')) == Header(4, 4, 6)


def test_exif_after_another_application_segment():
    data = with_segment(encode_image(pixels(0), 'JPEG'), b'http://ns.adobe.com/xap/1.0/\0<x/>')
    data = with_segment(data, b'Exif\0\0' + tiff('>', (0x0112, 3)))
    assert read_header(data).orientation == 3


@pytest.mark.parametrize(
    'body',
    [
        b'',
        b'II',
        b'XX*\0\x08\0\0\0',
        tiff('<'),
        tiff('<', (0x0112, 0)),
        tiff('<', (0x0112, 9)),
        tiff('>', (0x0112, 6))[:12],
        b'II*\0\xff\xff\xff\xff',
        b'II*\0\x08\0\0\0\xff\xff',
    ],
    ids=['none', 'short', 'order', 'empty', 'zero', 'nine', 'cut', 'beyond', 'many'],
)
def test_nonsense_is_upright(body):
    png = with_exif_chunk(encode_image(pixels(0)), body, before=b'IDAT')
    assert read_header(png) == Header(4, 4, 1)
    jpeg = with_segment(encode_image(pixels(0), 'JPEG'), b'Exif\0\0' + body)
    assert read_header(jpeg) == Header(4, 4, 1)


def test_a_png_may_say_it_after_the_pixels():
    """PNG's specification lets eXIf stand on either side of IDAT, and viewers heed both."""
    body = tiff('>', (0x0112, 6))
    before = with_exif_chunk(encode_image(pixels(0)), body, before=b'IDAT')
    assert read_header(before).orientation == 6
    after = with_exif_chunk(encode_image(pixels(0)), body, before=b'IEND')
    assert read_header(after).orientation == 6


@pytest.mark.parametrize('kind', ['PNG', 'JPEG'])
def test_every_prefix_is_read_without_a_failure(kind):
    data = encode_image(pixels(0), kind, exif=exif(6))
    for end in range(len(data)):
        header = read_header(data[:end])
        assert header is None or header.orientation in (1, 6)


@pytest.mark.parametrize(
    'data',
    [b'', b'GIF89a', b'BM', b'RIFF', b'\x89PNG', b'\xff'],
    ids=['', 'gif', 'bmp', 'webp', 'png', 'ff'],
)
def test_other_files_have_none(data):
    assert read_header(data) is None


def test_reads_a_size_that_nothing_has():
    png = bytearray(encode_image(np.zeros((1, 1), np.uint8)))
    png[16:24] = struct.pack('>II', 100_000, 200_000)
    assert read_header(bytes(png)) == Header(100_000, 200_000, 1)
