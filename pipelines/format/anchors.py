"""Anchors: the places in a sequence where auxiliary losses are taken.

An anchor is a pure function of (seed, set, id). The job stores the first sets, and the trainer
draws more sets with the same function.

The random numbers come from a hash of our own, splitmix64's finalizer (Steele, Lea, Flood 2014).
NumPy's Generators may give other numbers in a later release, but old records and resumed runs need
the same numbers for ever. A hash also draws any element without the elements before it. The hash
must not change without a new format version.
"""

import functools
import hashlib
from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from pipelines.format.errors import LonghaulError

_BITS = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_R_ANCHOR, _R_START, _P_ANCHOR = 1, 2, 3


class AnchorSets(NamedTuple):
    """The anchors of N examples, E sets of K anchors each. All fields are int32 [N, E, K]."""

    r_anchors: np.ndarray
    r_starts: np.ndarray
    p_anchors: np.ndarray


def id_hash(example_id: str) -> int:
    """64 bits that depend on an id alone. Python's hash() differs from process to process."""
    digest = hashlib.blake2b(example_id.encode('utf-8', 'surrogateescape'), digest_size=8).digest()
    return int.from_bytes(digest, 'little')


def _finalize(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _BITS
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _BITS
    return z ^ (z >> 31)


@functools.lru_cache(maxsize=64)
def _begin(seed: int) -> int:
    return _finalize(_GOLDEN ^ _finalize((seed + _GOLDEN) & _BITS))


def _finalize_array(z: np.ndarray) -> np.ndarray:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def mix(seed: int, *streams: int | np.ndarray) -> np.ndarray:
    """Mixes integers into uniformly distributed ones.

    The order of the arguments matters; a change of any of them changes about half of the bits.

    Args:
      seed: any integer, taken modulo 2**64.
      *streams: integers, also taken modulo 2**64, or arrays of non-negative integers. Arrays
        broadcast.

    Returns:
      uint64, of the broadcast shape ([] for integers alone).
    """
    z = _begin(seed)
    mixed: np.ndarray | None = None
    for stream in streams:
        # Until the first array, Python's integers are used: ten times as fast for a single id.
        if mixed is None and isinstance(stream, int | np.integer):
            stream = _finalize((int(stream) + _GOLDEN) & _BITS)
            z = _finalize(((z + _GOLDEN) & _BITS) ^ stream)
            continue
        mixed = np.asarray(z, np.uint64) if mixed is None else mixed
        mixed = _mix_array(mixed, stream % (1 << 64) if isinstance(stream, int) else stream)
    return np.asarray(z, np.uint64) if mixed is None else mixed


def _mix_array(z: np.ndarray, stream: int | np.ndarray) -> np.ndarray:
    golden = np.uint64(_GOLDEN)
    with np.errstate(over='ignore'):
        return _finalize_array(
            (z + golden) ^ _finalize_array(np.asarray(stream, np.uint64) + golden)
        )


def uniform(bits: np.ndarray, count: int | np.ndarray) -> np.ndarray:
    """Makes uint64 bits into uniform integers in 0..count-1 (0 where count is 0); count < 2**32."""
    return ((bits >> np.uint64(32)) * np.asarray(count, np.uint64)) >> np.uint64(32)


def shortened(auxiliary_steps: int, lengths: Any, xp: ModuleType = np) -> Any:
    """L_i of sequences whose lengths vary: L, but at most half of the sequence, and at least 1.

    Args:
      auxiliary_steps: L.
      lengths: T_i, one or many.
      xp: numpy, or tensorflow for tensors.

    Returns:
      min(L, max(1, T_i // 2)), of the shape of `lengths`.
    """
    return xp.minimum(auxiliary_steps, xp.maximum(1, lengths // 2))


def auxiliary_length(
    lengths: np.ndarray, auxiliary_steps: int, *, fixed_length: bool
) -> np.ndarray:
    """L_i, the number of steps that an auxiliary loss of each sequence spans.

    Args:
      lengths: int [N], T_i.
      auxiliary_steps: L.
      fixed_length: whether all sequences have one length by nature (images).

    Returns:
      int64 [N]: L for fixed lengths, min(L, max(1, T_i // 2)) for documents.

    Raises:
      LonghaulError: if fixed lengths do not leave room for an anchor.
    """
    lengths = np.asarray(lengths, np.int64)
    if not fixed_length:
        return shortened(auxiliary_steps, lengths)
    if len(lengths) and auxiliary_steps >= lengths.min():
        raise LonghaulError(
            f'auxiliary_steps={auxiliary_steps}: the sequences have {lengths.min()} steps, and '
            f'fewer than that are needed; {max(1, int(lengths.min()) // 4)} would do'
        )
    return np.full(len(lengths), auxiliary_steps, np.int64)


def sample_anchors(
    *,
    seed: int,
    sets: Sequence[int],
    id_hashes: np.ndarray,
    lengths: np.ndarray,
    auxiliary_steps: np.ndarray,
    anchors_per_sequence: int,
) -> AnchorSets:
    """Draws anchors.

    Args:
      seed: the seed of the job or the run.
      sets: the numbers e of the sets to draw.
      id_hashes: uint64 [N], from `id_hash`.
      lengths: int [N], T_i.
      auxiliary_steps: int [N], L_i, from `auxiliary_length`.
      anchors_per_sequence: K.

    Returns:
      r_anchors in L_i..T_i, r_starts in 0..r_anchor-L_i, p_anchors in 0..T_i-L_i-1 (0 when that is
      empty), each uniform: int32 [N, E, K].
    """
    hashes = np.asarray(id_hashes, np.uint64)[:, np.newaxis, np.newaxis]
    e = np.array(sets, np.uint64)[np.newaxis, :, np.newaxis]
    k = np.arange(anchors_per_sequence, dtype=np.uint64)
    total = np.asarray(lengths, np.int64)[:, np.newaxis, np.newaxis]
    steps = np.asarray(auxiliary_steps, np.int64)[:, np.newaxis, np.newaxis]

    def draw(stream: int, count: np.ndarray) -> np.ndarray:
        return uniform(mix(seed, stream, e, hashes, k), count).astype(np.int64)

    r_anchors = steps + draw(_R_ANCHOR, total - steps + 1)
    r_starts = draw(_R_START, r_anchors - steps + 1)
    p_anchors = draw(_P_ANCHOR, np.maximum(total - steps, 0))
    return AnchorSets(*(a.astype(np.int32) for a in (r_anchors, r_starts, p_anchors)))
