"""Small sources for the job (folders, zips, idx files, tables), and its output read without it."""

import csv
import gzip
import io
import json
import re
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from pipelines import launcher

# Sizes of pictures that `flags` go with: anchors need fewer steps than an image has.
IMAGE_FLAGS = ('--image_size=4', '--auxiliary_steps=5', '--segment_steps=6')


class Example(NamedTuple):
    """One record as tf.train.Example has it."""

    id: str
    label: int
    length: int
    values: bytes
    r_anchors: tuple[int, ...]
    r_starts: tuple[int, ...]
    p_anchors: tuple[int, ...]


def run_job(*flags: str) -> int:
    return launcher.main([str(flag) for flag in flags])


def refusal(capsys, *flags: str) -> str:
    """The text of the one `error:` line that the job ends with."""
    capsys.readouterr()
    code = run_job(*flags)
    captured = capsys.readouterr()
    lines = captured.err.splitlines()
    assert code == 2, captured
    assert 'Traceback' not in captured.err
    assert [line for line in lines if line.startswith('error: ')] == lines[-1:], captured.err
    # What Beam adds to a worker's refusal has a test of its own.
    return re.sub(r" \[while running '\w+'\]$", '', lines[-1].removeprefix('error: '))


def pixels(seed: int, height: int = 4, width: int = 4, channels: int = 3) -> np.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def encode_image(array: np.ndarray, kind: str = 'PNG', **settings) -> bytes:
    """The bytes of an image file; `settings` are PIL's, such as exif or quality."""
    file = io.BytesIO()
    mode = settings.pop('mode', None)
    Image.fromarray(array, mode).save(file, kind, **settings)
    return file.getvalue()


def exif(orientation: int) -> Image.Exif:
    found = Image.Exif()
    found[0x0112] = orientation
    return found


def picture_files(count: int = 24, prefix: str = '') -> dict[str, bytes]:
    """'CLASS/NAME.png' -> bytes; half of them cats, all of another content."""
    return {
        f'{prefix}{("cat", "dog")[i % 2]}/{i:02}.png': encode_image(pixels(i)) for i in range(count)
    }


def write_folder(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def write_zip(path: Path, files: Sequence[tuple[str, bytes]] | dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items() if isinstance(files, dict) else files:
            archive.writestr(name, data)
    return path


def idx_bytes(array: np.ndarray) -> bytes:
    """LeCun's format: 0, 0, 8 (unsigned bytes), dimensions; sizes, big-endian; values."""
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f'>{array.ndim}I', *array.shape)
    return head + array.tobytes()


def write_idx(folder: Path, *, suffix: str = '', stem: str = '-idx', side: int = 4) -> Path:
    """MNIST's four files: 30 images to train, 10 to test, labels 0..2 in turn."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, count in (('train', 30), ('t10k', 10)):
        images = np.random.RandomState(count).randint(0, 256, (count, side, side))
        arrays = {
            f'{split}-images{stem}3-ubyte': images.astype(np.uint8),
            f'{split}-labels{stem}1-ubyte': (np.arange(count) % 3).astype(np.uint8),
        }
        for name, array in arrays.items():
            data = idx_bytes(array)
            (folder / f'{name}{suffix}').write_bytes(gzip.compress(data) if suffix else data)
    return folder


def csv_bytes(rows: Sequence[Sequence[str]]) -> bytes:
    file = io.StringIO(newline='')
    csv.writer(file).writerows(rows)
    return file.getvalue().encode('utf-8')


def write_csv(path: Path, rows: Sequence[Sequence[str]]) -> Path:
    """A table; gzipped where its name ends in .gz."""
    return write_packed(path, csv_bytes(rows))


def write_packed(path: Path, data: bytes) -> Path:
    """Gzipped where its name ends in .gz."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(data) if path.suffix == '.gz' else data)
    return path


def documents(count: int = 40) -> list[list[str]]:
    """A header row and rows (label, text); every text is another one."""
    rows = [
        [('rain', 'sun')[i % 2], f'document {i}: ' + ('drip ', 'glow ')[i % 2] * (i % 9)]
        for i in range(count)
    ]
    return [['label', 'text'], *rows]


def examples(folder: Path, split: str = 'train') -> list[Example]:
    """All examples of a split, read by TensorFlow's own reader and parser."""
    paths = sorted(str(p) for p in Path(folder).glob(f'{split}-*.tfrecord'))
    return [_example(s) for s in tf.data.TFRecordDataset(paths).as_numpy_iterator()]


def _example(serialized: bytes) -> Example:
    feature = tf.train.Example.FromString(serialized).features.feature
    ints = {k: tuple(v.int64_list.value) for k, v in feature.items()}
    return Example(
        id=feature['id'].bytes_list.value[0].decode('utf-8', 'surrogateescape'),
        label=ints['label'][0],
        length=ints['length'][0],
        values=b''.join(feature['segments'].bytes_list.value),
        r_anchors=ints['r_anchors'],
        r_starts=ints['r_starts'],
        p_anchors=ints['p_anchors'],
    )


def by_id(folder: Path, *splits: str) -> dict[str, Example]:
    names = splits or ('train', 'validation', 'test')
    return {e.id: e for split in names for e in examples(folder, split)}


def rejected(folder: Path) -> list[dict[str, str]]:
    lines = [p.read_text() for p in sorted(Path(folder).glob('rejected-*.jsonl'))]
    return sorted((json.loads(s) for s in ''.join(lines).splitlines()), key=lambda r: r['id'])


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, hidden ones too, but for the lock and the mark of its job."""
    paths = sorted(Path(folder).iterdir())
    return {p.name: p.read_bytes() for p in paths if p.name not in ('.lock', '.job.json')}


def description(folder: Path) -> dict:
    return json.loads((Path(folder) / 'records.json').read_text())
