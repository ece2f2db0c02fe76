"""Reads files of any size as chunks of steps, in constant memory."""

import codecs
import itertools
import os
from collections.abc import Iterable, Iterator

import numpy as np

from pipelines.format.errors import LonghaulError, first_line
from pipelines.format.spec import SequenceSpec
from pipelines.format.texts import ids_of
from pipelines.format.trailing import tail_of_served
from pipelines.job.text_encoding import encodings_marked
from tools.items.files import STDIN, open_file

_BYTES, _STEPS = 1 << 20, 1 << 16
_MOST_MARK = 4


def read_chunks(path: str, spec: SequenceSpec) -> Iterator[np.ndarray]:
    """The steps of a file, [T, C] or [T] each, of the stored dtype; together they are all.

    Raises:
      LonghaulError: if it is no file of this kind.
      OSError: if it cannot be read.
    """
    if spec.kind == 'signal':
        chunks = _signal(path, spec)
    elif spec.tokens == 'bytes':
        chunks = (np.frombuffer(text.encode(), np.uint8) for text in _texts(path))
    else:
        chunks = _characters(path, spec)
    if spec.max_steps is not None:
        chunks = cut(chunks, spec.max_steps, spec.cut)
    return _with_trailing(chunks, spec)


def _with_trailing(chunks: Iterable[np.ndarray], spec: SequenceSpec) -> Iterator[np.ndarray]:
    """Appends the trailing steps, if the file has any step at all."""
    steps = 0
    for chunk in chunks:
        steps += len(chunk)
        yield chunk
    if steps and spec.trailing_steps:
        yield tail_of_served(spec)


def _blocks(path: str) -> Iterator[bytes]:
    with open_file(path) as file:
        while block := file.read(_BYTES):
            yield block


def _texts(path: str) -> Iterator[str]:
    """The parts of a text in UTF-8, or as its byte order mark says: as the job reads it."""
    blocks, head = _blocks(path), b''
    while len(head) < _MOST_MARK and (block := next(blocks, None)) is not None:
        head += block
    name = next(iter(encodings_marked(head)), 'utf-8')
    # Incremental, since a character may lie across two blocks.
    decoder = codecs.getincrementaldecoder('utf-8-sig' if name == 'utf-8' else name)('strict')
    for data in itertools.chain((head,), blocks, (None,)):
        try:
            yield decoder.decode(data or b'', final=data is None)
        except UnicodeError as error:
            raise LonghaulError(
                f'the text is not {name.upper()} ({first_line(error)}); '
                'convert it to UTF-8 first, such as by iconv'
            ) from error


def _characters(path: str, spec: SequenceSpec) -> Iterator[np.ndarray]:
    for text in _texts(path):
        points = np.frombuffer(text.encode('utf-32-le'), np.int32)
        yield ids_of(points, spec.vocabulary or '').numpy()


def _signal(path: str, spec: SequenceSpec) -> Iterator[np.ndarray]:
    if path == STDIN:
        raise LonghaulError('a .npy file is streamed from a disk alone; name it')
    try:
        with open_file(path):
            # Not by np.load, which also opens zips and pickles.
            mapped = np.lib.format.open_memmap(path, mode='r')
    # A damaged header is an error of many kinds, of Python's own parser for one.
    except Exception as error:
        if isinstance(error, OSError):
            raise
        raise LonghaulError(
            f'no .npy file of numbers ({first_line(error)}); write it with numpy.save'
        ) from error
    if os.path.getsize(path) != mapped.offset + mapped.nbytes:
        raise LonghaulError('too long: bytes lie behind its values')
    array: np.ndarray = mapped.reshape(-1, 1) if mapped.ndim == 1 else mapped
    if array.ndim != 2 or array.shape[1] != spec.channels:
        raise LonghaulError(f'shape {array.shape}: the model reads [T, {spec.channels}]')
    kinds = 'u' if spec.dtype == 'uint8' else 'f'
    if array.dtype.kind != kinds or (kinds == 'u' and array.dtype.itemsize != 1):
        raise LonghaulError(f'dtype {array.dtype}: the model reads {spec.dtype}')
    for begin in range(0, len(array), _STEPS):
        with np.errstate(over='ignore'):
            chunk = np.asarray(array[begin : begin + _STEPS])
            if kinds == 'f':  # By way of float32, as `pipelines.format.npy` does.
                chunk = chunk.astype(np.float32)
            chunk = chunk.astype(spec.dtype)
        if not np.isfinite(chunk).all():
            raise LonghaulError(
                'values that are not finite in float16; leave them out, or scale them'
            )
        yield chunk


def cut(chunks: Iterable[np.ndarray], most: int, which: str) -> Iterator[np.ndarray]:
    """Leaves what `max_steps` and `cut` do, see `pipelines.format.sequences.cut_steps`."""
    first = {'head': most, 'tail': 0, 'both': most - most // 2}[which]
    last = most - first
    kept: list[np.ndarray] = []
    for chunk in chunks:
        if first:
            yield chunk[:first]
        rest = chunk[first:]
        first -= len(chunk) - len(rest)
        if not last and not first:
            return
        if last and len(rest):
            kept.append(rest)
            if sum(map(len, kept)) > last + _BYTES:
                kept = [np.concatenate(kept)[-last:]]
    if kept:
        yield np.concatenate(kept)[-last:]
