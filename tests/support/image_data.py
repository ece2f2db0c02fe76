"""Image files that PIL does not write, byte by byte: every PNG, odd BMPs, EXIF anywhere."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageOps

# Colour types of PNG.
GRAY, RGB, PALETTE, GRAY_ALPHA, RGBA = 0, 2, 3, 4, 6
_ADAM7 = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2))
_ADAM7 += ((1, 0, 2, 1),)


def saved(image: Image.Image, kind: str = 'PNG', **settings) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def over_white(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """[H, W, 3] and [H, W], in float64."""
    share = alpha[..., None] / 255
    return np.floor(colors * share + 255 * (1 - share) + 0.5).astype(np.uint8)


def judged(data: bytes) -> np.ndarray:
    """What PIL says: uint8 [H, W, 3], upright, over white."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if image.mode == 'CMYK':
        return np.asarray(image.convert('RGB'))
    pixels = np.asarray(image.convert('RGBA'))
    return over_white(pixels[..., :3], pixels[..., 3])


def chunk(name: bytes, content: bytes) -> bytes:
    whole = name + content
    return struct.pack('>I', len(content)) + whole + struct.pack('>I', zlib.crc32(whole))


def _rows(samples: np.ndarray, depth: int) -> bytes:
    """Samples [H, W, C] as PNG's rows, each without a filter."""
    height, width, channels = samples.shape
    if not samples.size:
        return b''
    if depth == 16:
        packed = samples.astype('>u2').reshape(height, -1).view(np.uint8)
    else:
        bits = np.unpackbits(samples.astype(np.uint8)[..., None], axis=-1)[..., 8 - depth :]
        packed = np.packbits(bits.reshape(height, width * channels * depth), axis=-1)
    return np.concatenate([np.zeros((height, 1), np.uint8), packed], -1).tobytes()


def png(
    samples: np.ndarray,
    color_type: int,
    depth: int,
    *,
    interlaced: bool = False,
    palette: np.ndarray | None = None,
    transparency: bytes | None = None,
) -> bytes:
    """A PNG of samples [H, W, C]; `palette` [N, 3]; `transparency` is the content of tRNS."""
    height, width = samples.shape[:2]
    passes = _ADAM7 if interlaced else ((0, 0, 1, 1),)
    rows = b''.join(_rows(samples[y::dy, x::dx], depth) for y, x, dy, dx in passes)
    head = struct.pack('>IIBBBBB', width, height, depth, color_type, 0, 0, interlaced)
    chunks = [chunk(b'IHDR', head)]
    if palette is not None:
        chunks.append(chunk(b'PLTE', palette.astype(np.uint8).tobytes()))
    if transparency is not None:
        chunks.append(chunk(b'tRNS', transparency))
    chunks += [chunk(b'IDAT', zlib.compress(rows)), chunk(b'IEND', b'')]
    return b'\x89PNG\r\n\x1a\n' + b''.join(chunks)


def sized_png(width: int, height: int) -> bytes:
    """A PNG of one pixel that says it is of another size."""
    data = bytearray(png(np.zeros((1, 1, 1)), GRAY, 8))
    data[16:24] = struct.pack('>II', width, height)
    data[29:33] = struct.pack('>I', zlib.crc32(data[12:29]))
    return bytes(data)


def sized_jpeg(jpeg: bytes, *, width: int, height: int) -> bytes:
    """A baseline JPEG that says it is of another size."""
    at = jpeg.index(b'\xff\xc0') + 5
    return jpeg[:at] + struct.pack('>HH', height, width) + jpeg[at + 4 :]


def tiff(order: str, *entries: tuple[int, int]) -> bytes:
    """A TIFF directory of SHORT entries; `order` as in struct."""
    mark = {'<': b'II', '>': b'MM'}[order]
    rows = [struct.pack(f'{order}HHIHH', tag, 3, 1, value, 0) for tag, value in entries]
    head = mark + struct.pack(f'{order}HIH', 42, 8, len(rows))
    return head + b''.join(rows) + bytes(4)


def with_chunk(data: bytes, name: bytes, content: bytes, *, before: bytes) -> bytes:
    """A PNG with a chunk put in front of another one."""
    at = data.index(before) - 4
    return data[:at] + chunk(name, content) + data[at:]


def with_segment(
    jpeg: bytes, body: bytes, *, marker: int = 0xE1, fill: bytes = b'', first: bool = False
) -> bytes:
    """A JPEG with a segment before or after all others that stand in front of the pixels."""
    at = 2 if first else jpeg.index(b'\xff\xda')
    segment = fill + bytes([0xFF, marker]) + struct.pack('>H', len(body) + 2) + body
    return jpeg[:at] + segment + jpeg[at:]


def without_adobe(jpeg: bytes) -> bytes:
    """The JPEG without its Adobe segment."""
    at = jpeg.index(b'\xff\xee')
    return jpeg[:at] + jpeg[at + 2 + int.from_bytes(jpeg[at + 2 : at + 4], 'big') :]


def bmp(
    rows: np.ndarray,
    bits: int,
    *,
    width: int,
    height: int | None = None,
    compression: int = 0,
    header: int = 40,
    masks: tuple[int, ...] = (),
    palette: np.ndarray | None = None,
    colors: int = 0,
) -> bytes:
    """A BMP of rows of bytes [H, bytes], as they stand in the file but for their padding."""
    rows = np.pad(rows, [(0, 0), (0, -rows.shape[1] % 4)]).astype(np.uint8)
    table = b'' if palette is None else np.pad(palette, [(0, 0), (0, 1)]).astype(np.uint8).tobytes()
    height = len(rows) if height is None else height
    info = struct.pack(
        '<IiiHHIIiiII', header, width, height, 1, bits, compression, 0, 0, 0, colors, 0
    )
    info = (info + struct.pack(f'<{len(masks)}I', *masks)).ljust(header, b'\0')
    offset = 14 + len(info) + len(table)
    size = offset + rows.size
    return b'BM' + struct.pack('<IHHI', size, 0, 0, offset) + info + table + rows.tobytes()
