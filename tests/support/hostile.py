"""Items that no job should meet, among good ones; what is said of each."""

import dataclasses
import io
import json
import os
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import raw_zip
import source_data
from PIL import Image
from raw_zip import Entry
from source_data import encode_image, pixels

DAMAGED = 'not a readable image: damaged or cut off'
NO_IMAGE = 'neither a PNG, a JPEG, a GIF nor a BMP file'
UNREADABLE = 'the file cannot be read'
NO_FILE = 'no regular file'
LINK = 'a link to a folder, which is not followed'
TOO_LARGE = 'the file is larger than 1 GiB'
EMPTY_TEXT = 'the text is empty'
NO_UTF8 = 'the text is not UTF-8'
COLUMNS = 'the row has another number of columns than the table'
NO_OBJECT = 'the line is no JSON object'
NO_LABEL = 'the label is neither a string nor a whole number'
NO_TEXT = 'the text is missing, or no string'


@dataclasses.dataclass(frozen=True)
class Bad:
    """An item to be rejected.

    `content`: bytes of a file or of a line; a path that a link leads to; None for what `make`
    itself knows how to make. `detail`: of the rejection, where it matters.
    """

    content: bytes | str | None
    reason: str
    detail: str | None = None


# --- images


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', zlib.crc32(name + body))


def png(width: int, height: int, rest: bytes = b'') -> bytes:
    """A PNG in 8 bits of gray with any claim about its size."""
    header = png_chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, 8, 0, 0, 0, 0))
    return b'\x89PNG\r\n\x1a\n' + header + rest + png_chunk(b'IEND', b'')


def changed(data: bytes, at: int, to: bytes) -> bytes:
    return data[:at] + to + data[at + len(to) :]


def other_file(kind: str) -> bytes:
    return encode_image(pixels(5), kind)


def frames(first: int, count: int) -> bytes:
    """A GIF that moves."""
    images = [Image.fromarray(pixels(first + i % 2)) for i in range(count)]
    file = io.BytesIO()
    images[0].save(file, 'GIF', save_all=True, append_images=images[1:])
    return file.getvalue()


def bad_images() -> dict[str, Bad]:
    """CLASS/NAME -> item, in a folder."""
    good, photo = encode_image(pixels(1)), encode_image(pixels(2, 40, 40), 'JPEG')
    idat, iend = good.index(b'IDAT'), good.index(b'IEND')
    size = photo.index(b'\xff\xc0') + 5
    files = {
        'empty.png': (b'', 'the file is empty'),
        'zeros.png': (bytes(1000), NO_IMAGE),
        'cut.png': (good[: idat + 8], DAMAGED),
        'cut.jpg': (photo[: len(photo) // 2], DAMAGED),
        'start.png': (good[:8], DAMAGED),
        'start.jpg': (photo[:20], DAMAGED),
        'no_pixels.png': (good[: idat - 4] + good[iend - 4 :], DAMAGED),
        'flipped.png': (changed(good, idat + 6, b'\xff\xff\xff'), DAMAGED),
        'endless_chunk.png': (changed(good, idat - 4, b'\xff\xff\xff\xff'), DAMAGED),
        'no_side.png': (png(0, 4), DAMAGED),
        'no_side.jpg': (changed(photo, size, bytes(4)), DAMAGED),
        'no_segments.jpg': (b'\xff\xd8' + b'\xff' * 500, DAMAGED),
        'bomb.png': (png(1 << 16, 1 << 16), 'more than'),
        'thin_bomb.png': (png((1 << 31) - 1, 1), 'more than'),
        'bomb.jpg': (changed(photo, size, b'\xfd\xe8' * 2), 'more than'),
        'document.png': (b'%PDF-1.7\n' + bytes(100), NO_IMAGE),
        'page.png': (b'<html>404 Not Found</html>', NO_IMAGE),
        'drawing.png': (b'<svg xmlns="http://www.w3.org/2000/svg"/>', NO_IMAGE),
        'web.jpg': (other_file('WEBP'), NO_IMAGE),
        'print.jpg': (other_file('TIFF'), NO_IMAGE),
        'cut.gif': (other_file('GIF')[:20], DAMAGED),
        'bomb.gif': (changed(other_file('GIF'), 6, b'\xff\xff' * 2), 'more than'),
        'cut.bmp': (other_file('BMP')[:60], DAMAGED),
        'archive.png': (raw_zip.raw_zip([Entry(b'a', b'b')]), NO_IMAGE),
    }
    found = {f'cat/{name}': Bad(*item) for name, item in files.items()}
    return found | places('png')


def places(suffix: str) -> dict[str, Bad]:
    """What is no file to be read, whatever is expected in it; made by `make_folder`."""
    return {
        f'dog/loop.{suffix}': Bad(f'loop.{suffix}', UNREADABLE, 'OSError'),
        f'dog/dangling.{suffix}': Bad('/no/such/file', UNREADABLE, 'FileNotFoundError'),
        f'dog/device.{suffix}': Bad('/dev/zero', NO_FILE),
        f'dog/pipe.{suffix}': Bad(None, NO_FILE),
        f'dog/sparse.{suffix}': Bad(None, TOO_LARGE),
        'dog/back': Bad('..', LINK),
        'top': Bad('.', LINK),
    }


def strange_images() -> dict[str, bytes]:
    """CLASS/NAME -> bytes that look like trouble and are read: pixels(i) of the i-th."""
    return {
        'cat/really_png.jpg': encode_image(pixels(100)),
        'cat/no suffix': encode_image(pixels(101)),
        'cat/folder.png/inner.png': encode_image(pixels(102)),
        'cat/' + 'n' * 240 + '.png': encode_image(pixels(103)),
        'cat/\n\x1b[31m.png': encode_image(pixels(104)),
        'cat/trailing.png': encode_image(pixels(105)) + b'<?php' + bytes(1000),
        'cat/frames.gif': frames(106, 3000),
        'cat/really_bmp.png': encode_image(pixels(107), 'BMP'),
    }


def make_folder(root: Path, files: dict[str, bytes], bad: dict[str, Bad]) -> Path:
    source_data.write_folder(root, files)
    for name, item in bad.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(item.content, bytes):
            path.write_bytes(item.content)
        elif item.content is not None:
            os.symlink(item.content, path)
        elif 'pipe' in name:
            os.mkfifo(path)
        else:
            path.touch()
            os.truncate(path, 1 << 41)
    return root


# --- zips


def bad_entries() -> dict[str, tuple[Entry, str]]:
    """Name -> entry and reason."""
    data = encode_image(pixels(3))
    found = [
        (Entry(b'../escape.png', data), 'its name leads out of the zip'),
        (Entry(b'../../etc/passwd', data), 'its name leads out of the zip'),
        (Entry(b'cat/../../escape.png', data), 'its name leads out of the zip'),
        (Entry(b'cat\\..\\..\\escape.png', data), 'its name leads out of the zip'),
        (Entry(b'cat/00.png\0.exe', data), 'its name holds a zero byte'),
        (Entry(b'cat/secret.png', data, flags=raw_zip.ENCRYPTED), 'the file is encrypted'),
        (Entry(b'cat/method.png', data, method=99), 'the file is packed by another method than'),
        (Entry(b'cat/bzip2.png', data, method=12), 'the file is packed by another method than'),
        (Entry(b'cat/checksum.png', data, checksum=1), UNREADABLE),
        (Entry(b'cat/longer.png', data, size=len(data) + 9), UNREADABLE),
        (Entry(b'cat/shorter.png', data, size=9), UNREADABLE),
        (Entry(b'cat/garbage.png', data, packed=b'\xff' * 50), UNREADABLE),
        (Entry(b'cat/cut.png', data, packed=raw_zip.deflate(data)[:20]), UNREADABLE),
        (Entry(b'cat/renamed.png', data, local_name=b'cat/other12.png'), UNREADABLE),
        (Entry(b'cat/nowhere.png', data, offset=1 << 30), UNREADABLE),
        (Entry(b'cat/bomb.png', packed=raw_zip.zeros(2), size=2 << 30), TOO_LARGE),
        (Entry(b'cat/hidden_bomb.png', packed=raw_zip.zeros(4), size=5000), UNREADABLE),
        (Entry(b'cat/link.png', b'/etc/passwd', mode=0o120777), 'a link and no file'),
        (Entry(b'cat/nested.png', raw_zip.raw_zip([Entry(b'a.png', data)])), NO_IMAGE),
        (Entry(b'cat/empty.png'), 'the file is empty'),
    ]
    return {entry.name.decode(): (entry, reason) for entry, reason in found}


def strange_entries() -> dict[str, tuple[bytes, bytes]]:
    """Id after the split -> (name in the zip, bytes): read, whatever they are called."""
    return {
        'cat/absolute.png': (b'/cat/absolute.png', encode_image(pixels(100))),
        'cat/dot.png': (b'./cat/dot.png', encode_image(pixels(101))),
        'cat/windows.png': (b'cat\\windows.png', encode_image(pixels(102))),
        'cat/größe.png': ('cat/größe.png'.encode(), encode_image(pixels(103))),
    }


# --- texts


def bad_texts() -> dict[str, Bad]:
    files = {
        'empty': (b'', EMPTY_TEXT),
        'blank': (b' \r\n\t\n', EMPTY_TEXT),
        'mark_alone': (b'\xef\xbb\xbf', EMPTY_TEXT),
        'latin': (b'caf\xe9', NO_UTF8),
        'cut': ('größe €'.encode()[:-1], NO_UTF8),
        'overlong': (b'a\xc0\xafb', NO_UTF8),
        'surrogate': (b'a\xed\xa0\x80b', NO_UTF8),
        'beyond': (b'\xf4\x90\x80\x80', NO_UTF8),
        'picture': (encode_image(pixels(1)), NO_UTF8),
        'high': (bytes(range(254, 127, -1)), NO_UTF8),
        'half_wide': (b'\xff\xfea', 'the text is not UTF-16, as its byte order mark says'),
        'lone_wide': (b'\xff\xfe\0\xd8', 'the text is not UTF-16, as its byte order mark says'),
        'no_wider': (b'\0\0\xfe\xff\0\0', 'the text is not UTF-32, as its byte order mark says'),
    }
    found = {f'cat/{name}.txt': Bad(*item) for name, item in files.items()}
    return found | places('txt')


LONG = b'one line of a hundred megabytes, ' * 3_200_000


def strange_texts() -> dict[str, tuple[bytes, bytes]]:
    """CLASS/NAME -> (bytes of the file, bytes that arrive)."""
    return {
        'cat/zeros.txt': (b'a\0b\0', b'a\0b\0'),
        'cat/zero.txt': (b'\0', b'\0'),
        'cat/controls.txt': (bytes(range(1, 128)), bytes(range(1, 128))),
        'cat/wide.txt': ('größe'.encode('utf-16'), 'größe'.encode()),
        'cat/returns.txt': (b'a\rb\r', b'a\rb\r'),
        'cat/long.txt': (LONG, LONG),
    }


# --- tables


def csv_rows() -> list[tuple[bytes, Bad | tuple[str | None, bytes]]]:
    """(line, why it is rejected or what arrives) in order; the last one takes the rest."""
    return [
        (b'a', Bad(None, COLUMNS, '1 and not 2')),
        (b'new,too,many', Bad(None, COLUMNS, '3 and not 2')),
        (b',,,,', Bad(None, COLUMNS, '5 and not 2')),
        (b'a,', Bad(None, EMPTY_TEXT)),
        (b'a,"  "', Bad(None, EMPTY_TEXT)),
        (b',', Bad(None, EMPTY_TEXT)),
        (b'caf\xe9,a label', Bad(None, 'the label is not UTF-8')),
        (b'a,caf\xe9', Bad(None, NO_UTF8)),
        (b'a,\xed\xa0\x80', Bad(None, NO_UTF8)),
        (b'a,\xff\xfeh\0i\0', Bad(None, NO_UTF8)),
        (b'a,a\rb', Bad(None, 'the row has a carriage return outside of quotes')),
        (b'a,"in\rquotes"', ('a', b'in\rquotes')),
        (b'a,zero\0byte', ('a', b'zero\0byte')),
        (b'a,"two\nlines, ""quoted"""', ('a', b'two\nlines, "quoted"')),
        (b'\n\r\n\na,after blank lines', ('a', b'after blank lines')),
        (b'=cmd|calc,=1+1', ('=cmd|calc', b'=1+1')),
        (b'a,' + LONG.replace(b',', b';'), ('a', LONG.replace(b',', b';'))),
        (
            b'a,"never\nclosed\n',
            Bad(None, 'the row opens a quote that is never closed', 'and took'),
        ),
    ]


def json_lines() -> list[tuple[bytes, Bad | tuple[str | None, bytes]]]:
    """As `csv_rows`."""

    def line(**values: object) -> bytes:
        return json.dumps(values).encode()

    return [
        (b'label,text', Bad(None, NO_OBJECT)),
        (b'{"text": "cut', Bad(None, NO_OBJECT)),
        (b"{'text': 'quotes'}", Bad(None, NO_OBJECT)),
        (b'["text"]', Bad(None, NO_OBJECT)),
        (b'"text"', Bad(None, NO_OBJECT)),
        (b'null', Bad(None, NO_OBJECT)),
        (line(text='a') + line(text='b'), Bad(None, NO_OBJECT)),
        (b'[' * 100_000, Bad(None, NO_OBJECT)),
        (b'{"text":' * 100_000, Bad(None, NO_OBJECT)),
        (b'{"text": "x", "label": ' + b'9' * 5000 + b'}', Bad(None, NO_OBJECT)),
        (b'{"text": "zero\0byte"}', Bad(None, NO_OBJECT)),
        (b'{"text": "caf\xe9"}', Bad(None, 'the line is not UTF-8')),
        (line(text='x').decode().encode('utf-16-le'), Bad(None, NO_OBJECT)),
        (b'{"text": "\\ud800"}', Bad(None, NO_UTF8)),
        (b'{"text": "x", "label": "\\ud800"}', Bad(None, 'the label is not UTF-8')),
        (line(label='new'), Bad(None, NO_TEXT)),
        (line(text=None), Bad(None, NO_TEXT)),
        (line(text=5), Bad(None, NO_TEXT)),
        (line(text=['x']), Bad(None, NO_TEXT)),
        (line(text=' \n'), Bad(None, EMPTY_TEXT)),
        (line(text='x', label=True), Bad(None, NO_LABEL)),
        (line(text='x', label=1.5), Bad(None, NO_LABEL)),
        (line(text='x', label=['a']), Bad(None, NO_LABEL)),
        (b'{"text": "x", "label": NaN}', Bad(None, NO_LABEL)),
        (line(text='zero\0byte', label='a'), ('a', b'zero\0byte')),
        (
            line(text='first')[:-1] + b', "text": "last"}',
            Bad(None, 'the object has a key more than once', "'text'"),
        ),
        (b'\n \r\n' + line(text='after blank lines\r', label='a'), ('a', b'after blank lines\r')),
        (b'{"text": "' + LONG + b'", "label": "a"}', ('a', LONG)),
    ]


def good_rows(count: int = 20) -> Iterable[tuple[str, bytes]]:
    """(label, text) of the neighbours."""
    return [('ab'[i % 2], b'neighbour %d' % i) for i in range(count)]
