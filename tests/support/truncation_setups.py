"""Cases that the product and the slow oracle are compared on, and how far two results are apart."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import truncation_oracle
from truncation_oracle import Case, Result

# What a sabotaged oracle must at least differ by: a million times the tolerance.
FOUND = 1e-3
# Below this share of the whole gradient's norm a weight's gradient counts as zero.
FLOOR = 1e-6

VOCABULARY, CHANNELS, CLASSES, HEAD, READOUT = 7, 3, 4, 6, 8
R = {'prediction_weight': 0.0}
P = {'reconstruction_weight': 0.0}
ALONE = R | P
PRETRAINING = {'supervised_weight': 0.0}
R_READOUT = {'reconstruction_form': 'readout', 'r_distances': (1, 2, 5)}
P_READOUT = {'prediction_form': 'readout', 'p_distances': (1, 3)}
RP_READOUT = R_READOUT | P_READOUT


@dataclasses.dataclass(frozen=True)
class Setup:
    """A case, the weights it is judged with, and how the product stores its segments."""

    case: Case
    weights: dict[str, np.ndarray]
    segment_steps: int


def _sequence(rng: np.random.Generator, steps: int, ids: bool, floats: bool) -> np.ndarray:
    if ids:
        return rng.integers(0, VOCABULARY, [steps], np.int32)
    if floats:
        return rng.normal(size=[steps, CHANNELS]).astype(np.float16)
    return rng.integers(0, 256, [steps, CHANNELS], np.uint8)


def _anchors(
    rng: np.random.Generator, lengths: list[int], steps: list[int], count: int
) -> dict[str, np.ndarray]:
    """Both ends of each range in even rows, the far end in odd ones, and random ones after that.

    (Rows 0 and 1 differ, else a shared anchor could not be told.) A start is 0 in
    even rows and the last one possible, a - L, in odd ones.
    """
    r, s, p = [], [], []
    for row, (t, n) in enumerate(zip(lengths, steps, strict=True)):
        first = row % 2  # leaves out the near end in odd rows
        r_row = [n, t][first:] + list(rng.integers(n, t + 1, [count]))
        p_row = [0, max(0, t - n - 1)][first:] + list(rng.integers(0, max(1, t - n), [count]))
        r.append(r_row[:count])
        s.append([(a - n) * first for a in r_row[:count]])
        p.append(p_row[:count])
    return {'r_anchors': np.array(r), 'r_starts': np.array(s), 'p_anchors': np.array(p)}


def _ends(rng: np.random.Generator, lengths: list[int], count: int) -> np.ndarray:
    """Ends of windows: near the row's own, the first or in its middle, then random ones.

    (Again rows 0 and 1 differ.)
    """
    ends = []
    for row, t in enumerate(lengths):
        known = [t, t // 2 + 1] if row % 2 else [max(1, t - 1), 1]
        ends.append([*known, *rng.integers(1, t + 1, [count])][:count])
    return np.array(ends)


def _setup(
    *,
    lengths: int | list[int] = 13,
    auxiliary: int = 5,
    bptt: int | tuple[int, int] = 4,
    segment: int = 4,
    ids: bool = False,
    floats: bool = False,
    rows: int = 2,
    anchors: int = 2,
    labels: list[int] | None = None,
    unfed: float = 0.0,
    dropped: bool = False,
    share_embedding: bool = True,
    seed: int = 0,
    scales: tuple[float, ...] | None = None,
    r_distances: tuple[int, ...] | None = None,
    p_distances: tuple[int, ...] | None = None,
    **fields: Any,
) -> Setup:
    """`bptt` is S, or (supervised, auxiliary); a single length makes the batch a fixed one."""
    rng = np.random.default_rng(seed)
    if isinstance(lengths, int):
        lengths = [lengths] * rows
        steps = [auxiliary] * rows
    else:
        steps = [min(auxiliary, max(1, t // 2)) for t in lengths]
        assert max(steps) == auxiliary, 'L is read from the longest row'
    supervised_steps, auxiliary_steps = bptt if isinstance(bptt, tuple) else (bptt, bptt)
    fed = dropconnect = None
    if unfed:
        fed = rng.random([len(lengths), anchors, auxiliary - 1]) >= unfed
    if dropped:
        dropconnect = (rng.random([HEAD, HEAD]) < 0.5) * 2.0
    case = Case(
        sequences=[_sequence(rng, t, ids, floats) for t in lengths],
        labels=np.array(labels or rng.integers(0, CLASSES, [len(lengths)]), np.int32),
        **_anchors(rng, lengths, steps, anchors),
        auxiliary_steps=steps,
        supervised_bptt_steps=supervised_steps,
        auxiliary_bptt_steps=auxiliary_steps,
        fed=fed,
        dropconnect=dropconnect,
        scales=None if scales is None else np.array(scales),
        r_distances=None if r_distances is None else np.array(r_distances),
        p_distances=None if p_distances is None else np.array(p_distances),
        **fields,
    )
    assert case.supervised_weight or not case.replication_weight, 'replication is of this loss'
    readouts = 'readout' in (case.reconstruction_form, case.prediction_form)
    windows = readouts or case.replication_weight != 0
    if windows and (case.reconstruction_form == 'readout' or case.reconstruction_weight == 0):
        # Elsewhere there is a decoder, and its anchors are the ends of the others' windows.
        case = dataclasses.replace(case, r_anchors=_ends(rng, lengths, anchors))
    weights = truncation_oracle.make_weights(
        input_rows=VOCABULARY if ids else CHANNELS,
        classes=CLASSES,
        embedding_units=4,
        hidden_units=5,
        head_units=HEAD,
        seed=seed,
        share_embedding=share_embedding,
        reconstruction=case.reconstruction_weight != 0,
        prediction=case.prediction_weight != 0,
        levels=case.levels,
        reconstruction_form=case.reconstruction_form,
        prediction_form=case.prediction_form,
        readout_units=READOUT,
        decoder_knows_distance=case.decoder_knows_distance,
    )
    return Setup(case, weights, segment)


def _later(**options: Any) -> Callable[[], Setup]:
    return functools.partial(_setup, **options)


SETUPS = {
    # Supervised alone.
    'none_t_multiple_of_s': _later(lengths=12, bptt=4, segment=4, **ALONE),
    'none_t_not_multiple': _later(lengths=13, bptt=5, segment=4, **ALONE),
    'none_last_step_only': _later(lengths=13, bptt=1, segment=6, **ALONE),
    'none_s_0': _later(bptt=(0, 4), **ALONE),
    'none_s_all_but_first': _later(lengths=12, bptt=11, segment=4, **ALONE),
    'none_s_equals_t': _later(lengths=12, bptt=12, segment=5, **ALONE),
    'none_s_above_t': _later(lengths=12, bptt=30, segment=4, **ALONE),
    # r.
    'r_one_segment': _later(lengths=14, bptt=5, segment=20, anchors=3, **R),
    'r_s_0': _later(bptt=(5, 0), segment=5, **R),
    'r_s_above_most_anchors': _later(lengths=13, bptt=11, segment=4, anchors=3, **R),
    'r_s_equals_t': _later(lengths=12, bptt=12, segment=5, **R),
    'r_ids': _later(bptt=3, segment=5, ids=True, **R),
    # p.
    'p_l_not_multiple': _later(lengths=16, auxiliary=7, bptt=4, segment=4, rows=3, **P),
    'p_s_1': _later(lengths=12, auxiliary=4, bptt=1, segment=3, **P),
    'p_s_equals_l': _later(lengths=12, auxiliary=5, bptt=5, segment=12, **P),
    'p_s_between_l_and_t': _later(lengths=12, auxiliary=4, bptt=11, segment=5, **P),
    'p_s_equals_t': _later(lengths=12, bptt=12, segment=4, **P),
    'p_ids': _later(lengths=14, bptt=2, segment=5, ids=True, anchors=3, **P),
    # Both.
    'rp': _later(bptt=4, segment=4, reconstruction_weight=0.7, prediction_weight=1.9),
    'rp_other_s': _later(
        lengths=15, bptt=(5, 3), segment=5, rows=3, anchors=1, supervised_weight=0.6
    ),
    'rp_auxiliary_longest': _later(lengths=12, auxiliary=10, bptt=4, segment=4),
    'rp_supervised_s_0': _later(bptt=(0, 4), segment=20),
    'rp_uncut': _later(share_embedding=False, dropped=True, seed=1, bptt=50, global_batch_size=5),
    # Pre-training: the auxiliary losses alone.
    'pretraining_r': _later(lengths=12, bptt=4, segment=5, **R, **PRETRAINING),
    'pretraining_p': _later(auxiliary=6, bptt=3, segment=4, **P, **PRETRAINING),
    'pretraining_rp': _later(bptt=(0, 3), segment=6, ids=True, **PRETRAINING),
    # Rows of different length. S is at least the length of some rows: nothing is cut there,
    # while the longest is.
    'documents': _later(lengths=[17, 6, 9], auxiliary=8, bptt=6, segment=4, ids=True),
    'documents_alone': _later(lengths=[15, 4, 7], auxiliary=7, bptt=7, ids=True, **ALONE),
    'documents_short_l': _later(
        lengths=[16, 5, 12], auxiliary=4, bptt=5, segment=5, ids=True, labels=[1, 3, -1]
    ),
    'documents_of_2_steps_and_1': _later(
        lengths=[13, 2, 1], auxiliary=6, bptt=(4, 2), segment=5, ids=True, anchors=3
    ),
    'documents_s_0': _later(lengths=[13, 2, 8], auxiliary=6, bptt=0, ids=True, **R),
    'documents_uncut': _later(lengths=[12, 5, 9], auxiliary=6, bptt=12, segment=16, ids=True),
    'documents_of_pixels': _later(lengths=[14, 3, 9], auxiliary=7, bptt=4, segment=4),
    'documents_pretraining_unfed': _later(
        lengths=[14, 6, 9], auxiliary=7, bptt=4, segment=7, ids=True, unfed=0.5, **PRETRAINING
    ),
    # Signals: rows of different length, of several channels.
    'signals': _later(
        lengths=[17, 6, 9], auxiliary=8, bptt=6, segment=4, floats=True, reconstruction_weight=0.7
    ),
    'signals_of_2_steps_and_1': _later(
        lengths=[13, 2, 1], auxiliary=6, bptt=(4, 2), segment=5, floats=True, anchors=3
    ),
    'signals_unfed_unlabelled': _later(
        lengths=[14, 6, 9],
        auxiliary=7,
        bptt=4,
        segment=7,
        floats=True,
        unfed=0.5,
        labels=[-1, 2, 0],
    ),
    'signals_uncut': _later(lengths=[12, 5, 9], auxiliary=6, bptt=12, segment=16, floats=True),
    'signals_of_levels': _later(lengths=[14, 3, 9], auxiliary=7, bptt=4, segment=4, levels=256),
    # Everything else that the objective takes.
    'unlabelled_all': _later(labels=[-1, -1], segment=5, **R),
    'unfed_pixels': _later(lengths=14, auxiliary=7, bptt=4, segment=5, unfed=0.5, **R),
    'own_embedding_pixels': _later(share_embedding=False, unfed=1.0, segment=5, **R),
    'own_embedding_ids': _later(share_embedding=False, ids=True, unfed=0.5, segment=5, **R),
    'levels': _later(lengths=14, auxiliary=7, segment=5, levels=256),
    'levels_unfed': _later(lengths=14, auxiliary=7, segment=5, levels=256, unfed=0.5, **R),
    'dropconnect': _later(dropped=True, seed=1, segment=5, **ALONE),
    'part_of_a_global_batch': _later(
        labels=[2, -1, 0], rows=3, segment=5, global_batch_size=7, **P
    ),
    # A decoder that knows how far back it starts.
    'distance': _later(lengths=14, auxiliary=6, segment=5, decoder_knows_distance=True, **R),
    'distance_unfed': _later(
        auxiliary=6, segment=4, unfed=0.5, anchors=3, decoder_knows_distance=True, **R
    ),
    'distance_s_0': _later(bptt=(5, 0), segment=5, decoder_knows_distance=True, **R),
    'distance_documents': _later(
        lengths=[17, 6, 2],
        auxiliary=8,
        segment=4,
        ids=True,
        unfed=0.5,
        decoder_knows_distance=True,
        **PRETRAINING,
    ),
    'distance_uncut': _later(
        lengths=12, bptt=12, share_embedding=False, decoder_knows_distance=True
    ),
    # Relative losses.
    'scales': _later(segment=5, scales=(0.2, 0.0, 3.0)),
    'scales_unfed': _later(
        lengths=14, auxiliary=6, segment=5, unfed=0.5, scales=(0.0, 0.3, 0.1), **R
    ),
    'scales_ids': _later(lengths=[14, 6, 9], auxiliary=7, segment=4, ids=True, scales=(1.7,)),
    'scales_ids_zero': _later(bptt=13, ids=True, segment=4, scales=(0.0,)),
    'scales_signals': _later(
        lengths=[14, 6, 9], auxiliary=7, segment=4, floats=True, scales=(0.5, 2.0, 0.0)
    ),
    'scales_levels': _later(lengths=12, segment=5, levels=256, scales=(4.0, 0.0, 5.5), **P),
    # Readouts: r.
    'readout_r_m_1': _later(lengths=13, bptt=4, segment=4, anchors=1, **R, **R_READOUT),
    'readout_r_m_not_dividing': _later(
        lengths=13, bptt=5, segment=5, anchors_per_window=3, **R, **R_READOUT
    ),
    'readout_r_every_step': _later(
        lengths=12, bptt=4, segment=5, ids=True, anchors_per_window=4, **R, **R_READOUT
    ),
    'readout_r_one_segment': _later(
        lengths=14, bptt=5, segment=20, anchors=3, anchors_per_window=2, **R, **R_READOUT
    ),
    'readout_r_other_s': _later(
        lengths=12, bptt=(5, 3), segment=4, anchors_per_window=2, **R, **R_READOUT
    ),
    'readout_r_s_1': _later(bptt=(5, 1), segment=4, rows=3, **R, **R_READOUT),
    'readout_r_s_all_but_first': _later(
        lengths=12,
        bptt=(12, 11),
        segment=4,
        anchors=1,
        anchors_per_window=3,
        seed=2,
        **R,
        **R_READOUT,
    ),
    'readout_r_far': _later(
        lengths=[15, 6, 3],
        auxiliary=7,
        segment=4,
        floats=True,
        anchors_per_window=2,
        reconstruction_form='readout',
        r_distances=(11, 5, 40),
        **R,
    ),
    # p.
    'readout_p_m_1': _later(lengths=12, bptt=4, segment=4, anchors=1, **P, **P_READOUT),
    'readout_p_m_not_dividing': _later(
        lengths=14, bptt=5, segment=4, rows=3, anchors_per_window=3, **P, **P_READOUT
    ),
    'readout_p_every_step': _later(
        lengths=13, bptt=(0, 4), segment=5, ids=True, anchors_per_window=4, **P, **P_READOUT
    ),
    'readout_p_far': _later(
        lengths=[15, 6, 3],
        auxiliary=7,
        segment=4,
        ids=True,
        anchors_per_window=2,
        prediction_form='readout',
        p_distances=(9, 2, 40),
        **P,
    ),
    # Both.
    'readout_rp': _later(
        segment=5,
        anchors_per_window=3,
        reconstruction_weight=0.7,
        prediction_weight=1.9,
        **RP_READOUT,
    ),
    'readout_rp_ids': _later(
        lengths=14, segment=5, ids=True, anchors_per_window=2, global_batch_size=5, **RP_READOUT
    ),
    'readout_rp_levels': _later(
        lengths=12, segment=5, levels=256, anchors_per_window=2, **RP_READOUT
    ),
    'readout_rp_uncut': _later(
        bptt=50, segment=4, anchors_per_window=3, dropped=True, seed=1, **RP_READOUT
    ),
    'readout_rp_s_equals_t': _later(
        lengths=12, bptt=12, segment=12, ids=True, anchors_per_window=5, **RP_READOUT
    ),
    'readout_pretraining': _later(
        lengths=13, bptt=(0, 4), segment=4, anchors_per_window=3, **PRETRAINING, **RP_READOUT
    ),
    'readout_pretraining_r': _later(
        lengths=12,
        bptt=4,
        segment=5,
        anchors=1,
        anchors_per_window=4,
        **PRETRAINING,
        **R,
        **R_READOUT,
    ),
    'readout_pretraining_p': _later(
        lengths=12, bptt=4, segment=5, anchors_per_window=2, **PRETRAINING, **P, **P_READOUT
    ),
    # One of them as a readout, the other not.
    'readout_r_lstm_p': _later(
        lengths=14, segment=4, anchors_per_window=3, share_embedding=False, **R_READOUT
    ),
    'readout_r_lstm_p_documents': _later(
        lengths=[14, 2, 9], auxiliary=7, segment=4, ids=True, anchors_per_window=2, **R_READOUT
    ),
    'decoder_r_readout_p': _later(
        lengths=14, auxiliary=6, segment=5, anchors_per_window=3, unfed=0.5, **P_READOUT
    ),
    'distance_r_readout_p_documents': _later(
        lengths=[15, 6, 9],
        auxiliary=7,
        segment=4,
        ids=True,
        anchors_per_window=2,
        decoder_knows_distance=True,
        **P_READOUT,
    ),
    # Rows of different length, some shorter than S, and than M.
    'readout_documents': _later(
        lengths=[17, 6, 9], auxiliary=8, bptt=6, ids=True, anchors_per_window=4, **RP_READOUT
    ),
    # Row 0 is the shortest: its windows are legal in all rows.
    'readout_documents_pretraining': _later(
        lengths=[9, 17, 12],
        auxiliary=8,
        bptt=5,
        segment=4,
        ids=True,
        anchors_per_window=2,
        **PRETRAINING,
        **RP_READOUT,
    ),
    'readout_documents_of_2_steps_and_1': _later(
        lengths=[13, 2, 1],
        auxiliary=6,
        bptt=(4, 3),
        segment=5,
        seed=2,
        ids=True,
        anchors=3,
        anchors_per_window=3,
        **RP_READOUT,
    ),
    'readout_documents_uncut': _later(
        lengths=[12, 5, 1],
        auxiliary=6,
        bptt=12,
        segment=16,
        ids=True,
        anchors_per_window=5,
        **RP_READOUT,
    ),
    'readout_documents_of_pixels': _later(
        lengths=[14, 3, 9], auxiliary=7, segment=4, anchors_per_window=3, **RP_READOUT
    ),
    'readout_signals': _later(
        lengths=[17, 6, 9],
        auxiliary=8,
        bptt=6,
        segment=4,
        floats=True,
        anchors_per_window=4,
        labels=[-1, 2, 0],
        **RP_READOUT,
    ),
    'readout_signals_of_2_steps_and_1': _later(
        lengths=[13, 2, 1],
        auxiliary=6,
        bptt=(4, 3),
        segment=5,
        floats=True,
        anchors=1,
        anchors_per_window=2,
        **RP_READOUT,
    ),
    'readout_signals_of_levels': _later(
        lengths=[14, 3, 9], auxiliary=7, segment=4, levels=256, anchors_per_window=2, **RP_READOUT
    ),
    # Readouts' relative losses.
    'readout_scales': _later(segment=5, anchors_per_window=3, scales=(0.2, 0.0, 3.0), **RP_READOUT),
    'readout_scales_ids': _later(
        lengths=[14, 6, 9],
        auxiliary=7,
        segment=4,
        ids=True,
        anchors_per_window=2,
        scales=(1.7,),
        **RP_READOUT,
    ),
    'readout_scales_ids_zero': _later(
        bptt=13, ids=True, segment=4, anchors_per_window=2, scales=(0.0,), **R, **R_READOUT
    ),
    'readout_scales_signals': _later(
        lengths=[14, 6, 9],
        auxiliary=7,
        segment=4,
        floats=True,
        anchors_per_window=3,
        scales=(0.0, 0.5, 2.0),
        **R_READOUT,
    ),
    'readout_scales_levels': _later(
        lengths=12,
        segment=5,
        levels=256,
        anchors_per_window=2,
        scales=(4.0, 0.0, 5.5),
        **RP_READOUT,
    ),
    # Replication: alone. In some the supervised loss itself is not cut: what a moved cut changes
    # is replication's.
    'replication_m_1': _later(
        lengths=13, bptt=(13, 4), segment=4, anchors=1, replication_weight=0.7, **ALONE
    ),
    'replication_m_not_dividing': _later(
        lengths=13,
        bptt=(13, 5),
        segment=5,
        anchors_per_window=3,
        replication_weight=1.0,
        **ALONE,
    ),
    'replication_every_step': _later(
        lengths=12,
        bptt=(0, 4),
        segment=5,
        ids=True,
        anchors_per_window=4,
        replication_weight=1.9,
        **ALONE,
    ),
    'replication_s_1': _later(
        bptt=(5, 1), segment=4, rows=3, anchors=3, replication_weight=1.0, **ALONE
    ),
    'replication_s_all_but_first': _later(
        lengths=12,
        bptt=(12, 11),
        segment=4,
        anchors=1,
        anchors_per_window=3,
        seed=2,
        replication_weight=1.0,
        **ALONE,
    ),
    'replication_part_of_a_global_batch': _later(
        labels=[2, -1, 0],
        rows=3,
        bptt=(4, 5),
        segment=5,
        global_batch_size=7,
        anchors_per_window=2,
        supervised_weight=0.6,
        replication_weight=0.8,
        **ALONE,
    ),
    'replication_dropconnect': _later(
        bptt=(13, 4),
        dropped=True,
        seed=1,
        segment=5,
        anchors_per_window=3,
        replication_weight=0.7,
        **ALONE,
    ),
    'replication_uncut': _later(
        bptt=50,
        segment=4,
        anchors_per_window=3,
        dropped=True,
        seed=1,
        replication_weight=0.7,
        **ALONE,
    ),
    # With r and p of every form.
    'replication_rp': _later(
        lengths=15,
        bptt=(5, 3),
        segment=5,
        unfed=0.5,
        anchors_per_window=2,
        replication_weight=0.7,
        prediction_weight=1.9,
    ),
    'replication_lstm_p': _later(
        lengths=12, segment=4, anchors_per_window=3, replication_weight=1.0, **P
    ),
    'replication_readout_r': _later(
        bptt=(13, 5),
        segment=5,
        anchors_per_window=3,
        reconstruction_weight=0.6,
        replication_weight=0.7,
        **R,
        **R_READOUT,
    ),
    'replication_decoder_r_readout_p': _later(
        lengths=14, auxiliary=6, segment=4, anchors=1, replication_weight=0.7, **P_READOUT
    ),
    # The scales are those of r and p: a label has none.
    'replication_readout_rp_scales': _later(
        segment=4,
        anchors_per_window=2,
        scales=(0.2, 0.0, 3.0),
        replication_weight=0.7,
        **RP_READOUT,
    ),
    'replication_unlabelled_all': _later(
        labels=[-1, -1], segment=5, replication_weight=1.0, **R, **R_READOUT
    ),
    # Rows of different length, one without a label and one shorter than S.
    'replication_documents': _later(
        lengths=[17, 9, 4],
        auxiliary=8,
        bptt=(17, 6),
        segment=4,
        ids=True,
        anchors_per_window=4,
        labels=[1, -1, 3],
        replication_weight=0.7,
        **ALONE,
    ),
    # Row 0 is the shortest: its windows are legal in all rows.
    'replication_documents_shortest_first': _later(
        lengths=[9, 17, 12],
        auxiliary=8,
        bptt=(17, 5),
        segment=4,
        ids=True,
        replication_weight=1.0,
        **ALONE,
    ),
    'replication_documents_of_2_steps_and_1': _later(
        lengths=[13, 2, 1],
        auxiliary=6,
        bptt=(4, 3),
        segment=5,
        ids=True,
        anchors=3,
        anchors_per_window=2,
        replication_weight=0.7,
    ),
    'replication_documents_uncut': _later(
        lengths=[12, 5, 1],
        auxiliary=6,
        bptt=12,
        segment=16,
        ids=True,
        anchors_per_window=5,
        replication_weight=0.7,
        **RP_READOUT,
    ),
    'replication_signals': _later(
        lengths=[17, 6, 9],
        auxiliary=8,
        bptt=6,
        segment=4,
        floats=True,
        anchors_per_window=3,
        labels=[2, 0, -1],
        replication_weight=0.7,
        **RP_READOUT,
    ),
}

SABOTAGED = [
    ('none_t_multiple_of_s', 'cut_moved'),
    ('none_t_not_multiple', 'c_uncut'),
    ('none_s_0', 'cut_moved'),
    ('documents_alone', 'cut_moved'),
    ('documents_alone', 'c_uncut'),
    *[
        (name, sabotage)
        for name in ('pretraining_r', 'pretraining_p', 'pretraining_rp', 'rp_other_s')
        for sabotage in truncation_oracle.SABOTAGES
    ],
    ('r_s_0', 'cut_moved'),
    ('r_s_0', 'c_uncut'),
    ('p_s_1', 'cut_moved'),
    ('p_s_between_l_and_t', 'cut_moved'),
    ('p_s_between_l_and_t', 'c_uncut'),
    # Uncut, yet the anchors still matter.
    ('r_s_equals_t', 'shared_anchor'),
    ('p_s_equals_t', 'shared_anchor'),
    ('documents', 'cut_moved'),
    ('documents', 'c_uncut'),
    ('signals', 'cut_moved'),
    ('signals', 'c_uncut'),
    ('distance_s_0', 'cut_moved'),
    ('scales_signals', 'cut_moved'),
    *[
        (name, sabotage)
        for name in (
            'distance',
            'scales_unfed',
            'readout_r_m_1',
            'readout_p_m_1',
            'readout_rp',
            'readout_pretraining',
            'readout_pretraining_r',
            'readout_pretraining_p',
            'readout_documents_pretraining',
            'readout_r_lstm_p',
            'decoder_r_readout_p',
        )
        for sabotage in truncation_oracle.SABOTAGES
    ],
    # A window of one step: nothing is left.
    ('readout_r_s_1', 'cut_moved'),
    ('readout_r_every_step', 'cut_moved'),
    ('readout_documents', 'cut_moved'),
    ('readout_documents', 'c_uncut'),
    ('readout_signals', 'cut_moved'),
    ('readout_signals', 'c_uncut'),
    *[
        (name, sabotage)
        for name in (
            'replication_m_1',
            'replication_m_not_dividing',
            'replication_readout_r',
            'replication_documents_shortest_first',
        )
        for sabotage in truncation_oracle.SABOTAGES
    ],
    ('replication_s_1', 'cut_moved'),
    ('replication_dropconnect', 'cut_moved'),
    ('replication_dropconnect', 'c_uncut'),
    ('replication_documents', 'cut_moved'),
    ('replication_documents', 'c_uncut'),
]


@functools.cache
def made(name: str) -> Setup:
    return SETUPS[name]()


@functools.cache
def truth(name: str) -> Result:
    return truncation_oracle.evaluate(made(name).case, made(name).weights)


@functools.cache
def sabotaged(name: str, sabotage: str) -> Result:
    return truncation_oracle.evaluate(made(name).case, made(name).weights, sabotage=sabotage)


def errors(found: Result, true: Result) -> dict[str, float]:
    """Relative error of each gradient (norms) and loss."""
    assert found.gradients.keys() == true.gradients.keys()
    floor = FLOOR * truncation_oracle.norm(true.gradients)
    errors = {}
    for name, gradient in true.gradients.items():
        assert found.gradients[name].shape == gradient.shape, name
        difference = np.linalg.norm(found.gradients[name] - gradient)
        errors[name] = difference / max(np.linalg.norm(gradient), floor)
    for name, loss in true.losses.items():
        # A loss that is exactly zero is so in both.
        errors[f'loss {name}'] = abs(found.losses[name] - loss) / (abs(loss) or FLOOR)
    return errors
