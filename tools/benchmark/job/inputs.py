"""Files to run the job on, the same ones in every run: small images, photographs, documents."""

import os
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from pipelines.format.errors import LonghaulError

# With more files, a folder is slow to list on some file systems.
_IN_A_FOLDER = 10_000
_LIBRARY_BYTES = 8 << 20


def write_digits(folder: Path, count: int) -> None:
    """Writes PNG files of 28x28: scikit-learn's digits enlarged, each cut out at another place."""
    pictures = [np.asarray(picture) for picture in _digits(32)]
    random = np.random.RandomState(0)
    for number, path in _paths(folder, count, '.png'):
        y, x = random.randint(0, 5, 2)
        _image(pictures[number % len(pictures)][y : y + 28, x : x + 28]).save(path)


def write_photos(folder: Path, count: int) -> None:
    """Writes JPEG files of 256x256 in colour: smooth shades, edges and grain, as in photographs."""
    digits = [np.asarray(picture) / 255 for picture in _digits(256)[:100]]
    random = np.random.RandomState(0)
    shades = [random.rand(4, 4, 3) for _ in range(50)]
    smooth = [np.asarray(_image((s * 255).astype(np.uint8)).resize((256, 256))) for s in shades]
    for number, path in _paths(folder, count, '.jpg'):
        first, second = random.randint(0, len(smooth), 2)
        mask = digits[number % len(digits)][:, :, np.newaxis]
        picture = smooth[first] * mask + smooth[second] * (1 - mask)
        picture += random.randint(-8, 9, [256, 256, 1])
        _image(np.clip(picture, 0, 255).astype(np.uint8)).save(path, quality=90)


def write_documents(folder: Path, count: int) -> None:
    """Writes texts of 200 to 4,000 bytes, cut out of the sources of Python's standard library."""
    library = _library()
    random = np.random.RandomState(0)
    for number, path in _paths(folder, count, '.txt'):
        length = int(random.randint(200, 4001))
        start = int(random.randint(0, len(library) - length))
        path.write_bytes(b'document %d\n' % number + library[start : start + length])


INPUTS: dict[str, Callable[[Path, int], None]] = {
    'digits': write_digits,
    'photos': write_photos,
    'documents': write_documents,
}


def _paths(folder: Path, count: int, suffix: str) -> Iterator[tuple[int, Path]]:
    """Gives number and path of each file, in ten class folders or more."""
    classes = max(10, -(-count // _IN_A_FOLDER))
    for number in range(count):
        below = folder / f'class{number % classes:03}'
        if number < classes:
            below.mkdir(parents=True)
        yield number, below / f'{number:07}{suffix}'


def _image(pixels: np.ndarray):  # noqa: ANN202 - Pillow is no dependency: imported where it is used
    from PIL import Image

    return Image.fromarray(pixels)


def _digits(side: int) -> list:
    """Reads scikit-learn's digits as Pillow's images of one size."""
    try:
        from sklearn.datasets import load_digits

        pixels = (load_digits().images * (255 / 16)).astype(np.uint8)
        return [_image(picture).resize((side, side)) for picture in pixels]
    except ImportError as error:
        raise LonghaulError(
            f'job: {error.name} is not installed, and the benchmark makes its images with it; '
            'pip install "longhaul[demo,dev]"'
        ) from error


def _library() -> bytes:
    """Reads some megabytes of source text."""
    found, size = [], 0
    for path in sorted(Path(sysconfig.get_path('stdlib')).glob('*/*.py')):
        if 'site-packages' not in path.parts:
            found.append(path.read_bytes())
            size += len(found[-1])
            if size > _LIBRARY_BYTES:
                break
    if size < 1 << 16:
        raise LonghaulError(
            f'job: {sysconfig.get_path("stdlib")} holds no source files to make documents of; use '
            'a Python that was installed with them'
        )
    return b''.join(found)


def bytes_of(folder: Path) -> int:
    """Adds up the bytes of all files below a folder."""
    return sum(
        os.path.getsize(os.path.join(below, name))
        for below, _, names in os.walk(folder)
        for name in names
    )
