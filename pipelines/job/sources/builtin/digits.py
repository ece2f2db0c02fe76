"""builtin:digits - 1,797 handwritten digits of 8x8 pixels from scikit-learn, without a download.

Items are PNG files, so that a served model can be asked about them.
"""

import dataclasses
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from pipelines.format.errors import LonghaulError
from pipelines.job.items import Group, Item, Payload, Rejected, Source


@functools.lru_cache(maxsize=1)
def _load() -> tuple[np.ndarray, np.ndarray]:
    """(pixels uint8 [N, 8, 8], whose 0..16 become 0..255; labels int [N])."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise LonghaulError(
            '--source=builtin:digits: scikit-learn is not installed; pip install "longhaul[demo]"'
        ) from error
    data = load_digits()
    return np.rint(data.images * (255 / 16)).astype(np.uint8), data.target


def _png(pixels: np.ndarray) -> bytes:
    import tensorflow as tf

    return tf.io.encode_png(pixels[:, :, np.newaxis]).numpy()


def raw_items() -> Iterator[tuple[str, str, bytes]]:
    """(id, class name, PNG bytes) of all digits."""
    pixels, labels = _load()
    for row, label in enumerate(labels):
        yield f'{row:04}', str(label), _png(pixels[row])


@dataclasses.dataclass(frozen=True)
class Digits(Source[int]):
    """The digits of scikit-learn. They have no splits."""

    kind: str = 'image'
    channels: int = 1

    def groups(self) -> list[Group]:
        """One group of train. The job cuts a test split out of it."""
        _load()
        return [Group('digits', 'train')]

    def items(self, group: Group) -> Iterator[Item[int]]:
        """Lists digits in the order of scikit-learn."""
        _, labels = _load()
        for row, label in enumerate(labels):
            yield Item(f'{row:04}', group.split, str(label), group.path, row)

    def read(self, group: str, items: Sequence[Item[int]]) -> Iterator[Payload | Rejected]:
        """PNG files."""
        del group
        pixels, _ = _load()
        for item in items:
            yield Payload(_png(pixels[item.place]))

    def where(self, item: Item[int]) -> str:
        """'image N'."""
        return f'image {item.place}'

    def image_size(self) -> int:
        """The side of all digits."""
        return 8

    def estimated_items(self) -> int:
        """The number of digits."""
        return len(_load()[1])
