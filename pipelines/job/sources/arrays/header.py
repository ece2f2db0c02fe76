"""Reads the header of a .npy file. Nothing is unpickled."""

import math
from typing import BinaryIO, NamedTuple

import numpy as np

from pipelines.job.items import Rejected

_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
    # Version 3.0 differs from 2.0 in the names of fields. Arrays with fields are rejected.
    (3, 0): np.lib.format.read_array_header_2_0,
}


class Header(NamedTuple):
    """The header of a usable array.

    `dtype`: type of the values in the file. `stored`: type that they are stored as, 'uint8' or
    'float16'. `steps`: T. `channels`: C. `fortran`: whether the file holds the values channel by
    channel. `bytes`: bytes of all values in the file.
    """

    dtype: np.dtype
    stored: str
    steps: int
    channels: int
    fortran: bool
    bytes: int


def read_header(file: BinaryIO) -> Header:
    """Reads a file up to its first value.

    Raises:
      Rejected: if the array is not of shape [T] or [T, C], or its type cannot be stored.
    """
    shape, fortran, dtype = _read(file)
    stored = _stored(dtype)
    if len(shape) not in (1, 2):
        raise Rejected('the shape is neither [T] nor [T, C]', f'shape {shape}')
    if min(shape) < 0:
        raise Rejected('the header is damaged', f'shape {shape}')
    if 0 in shape:
        raise Rejected('the array is empty', f'shape {shape}')
    steps, channels = (*shape, 1)[:2]
    return Header(dtype, stored, steps, channels, fortran, math.prod(shape) * dtype.itemsize)


def _read(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype]:
    try:
        version = np.lib.format.read_magic(file)
    except ValueError as error:
        raise Rejected('not a .npy file') from error
    if version not in _READERS:
        raise Rejected('not a .npy file', f'version {version[0]}.{version[1]}')
    try:
        return _READERS[version](file)
    except Exception as error:
        # NumPy evaluates the header as a Python literal, which may raise any error.
        raise Rejected('the header is damaged', ' '.join(str(error).split())[:80]) from error


def _stored(dtype: np.dtype) -> str:
    if dtype == np.uint8:
        return 'uint8'
    if dtype.kind == 'f' and dtype.itemsize <= 8:
        return 'float16'
    if dtype.hasobject:
        raise Rejected(
            'an array of Python objects, which would have to be unpickled: save numbers, with '
            'array.astype(numpy.float32)'
        )
    if dtype.kind in 'iub':
        raise Rejected(
            'integers other than uint8: save them with array.astype(numpy.float32), or with '
            'array.astype(numpy.uint8) where they are in 0..255',
            dtype.name,
        )
    raise Rejected(
        'neither uint8 nor float16, float32 or float64: save numbers of these types', str(dtype)
    )
