"""The product's losses and gradients against the slow float64 oracle of the truncated objective."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import objective_adapter
import pytest
import truncation_oracle
from truncation_oracle import LOSSES, Case, Result

TOLERANCES = {'float64': 1e-9, 'float32': 1e-4}
# What a sabotaged oracle must at least differ by: a million times the tolerance.
FOUND = 1e-3
# Below this share of the whole gradient's norm a weight's gradient counts as zero.
FLOOR = 1e-6

VOCABULARY, CHANNELS, CLASSES, HEAD = 7, 3, 4, 6
R = {'prediction_weight': 0.0}
P = {'reconstruction_weight': 0.0}
ALONE = R | P
PRETRAINING = {'supervised_weight': 0.0}


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
    **fields: float | int,
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
        **fields,
    )
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
}

# One of each sort is enough in float32.
FLOAT32 = ['none_t_multiple_of_s', 'rp', 'documents', 'unfed_pixels', 'signals']


@functools.cache
def _made(name: str) -> Setup:
    return SETUPS[name]()


@functools.cache
def _truth(name: str) -> Result:
    return truncation_oracle.evaluate(_made(name).case, _made(name).weights)


@functools.cache
def _product(name: str, dtype: str = 'float64') -> Result:
    setup = _made(name)
    return objective_adapter.evaluate(
        setup.case, setup.weights, segment_steps=setup.segment_steps, dtype=dtype
    )


def _errors(found: Result, true: Result) -> dict[str, float]:
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


def _disagreements(found: Result, true: Result, tolerance: float) -> dict[str, float]:
    # `not <=`, for a NaN is a disagreement too.
    return {n: e for n, e in _errors(found, true).items() if not e <= tolerance}


@pytest.mark.parametrize('name', SETUPS)
def test_losses_and_gradients_agree(name):
    assert not _disagreements(_product(name), _truth(name), TOLERANCES['float64'])


@pytest.mark.parametrize('name', FLOAT32)
def test_losses_and_gradients_agree_in_float32(name):
    assert not _disagreements(_product(name, 'float32'), _truth(name), TOLERANCES['float32'])


def _cut_losses() -> list[tuple[str, str]]:
    return [
        (name, loss)
        for name in SETUPS
        for loss in LOSSES
        if truncation_oracle.is_cut(_made(name).case, loss)
    ]


@pytest.mark.parametrize(('name', 'loss'), _cut_losses())
def test_every_cut_removes_a_fair_share(name, loss):
    """Else gradients that vanish by themselves would hide a wrong cut."""
    setup = _made(name)
    assert truncation_oracle.removed_share(setup.case, setup.weights, loss) >= 0.01


@pytest.mark.parametrize(
    ('name', 'sabotage'),
    [
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
    ],
)
def test_a_sabotaged_oracle_is_found_out(name, sabotage):
    setup = _made(name)
    wrong = truncation_oracle.evaluate(setup.case, setup.weights, sabotage=sabotage)
    assert max(_errors(_product(name), wrong).values()) > FOUND


def _nudged(weights: dict[str, np.ndarray], name: str, at: tuple, by: float) -> dict:
    moved = weights[name].copy()
    moved[at] += by
    return weights | {name: moved}


@pytest.mark.parametrize('name', ['rp_uncut', 'documents_uncut', 'signals_uncut'])
def test_oracle_agrees_with_finite_differences_where_nothing_is_cut(name):
    setup = _made(name)
    gradients = _truth(name).gradients
    rng = np.random.default_rng(1)
    names = ['embedding', 'main/recurrent_kernel', 'classifier/hidden_2/kernel']
    names += [str(n) for n in rng.choice(sorted(setup.weights), 2, replace=False)]
    for weight in names:
        at = tuple(int(rng.integers(n)) for n in setup.weights[weight].shape)
        up, down = (
            truncation_oracle.evaluate(setup.case, _nudged(setup.weights, weight, at, by)).losses[
                'total'
            ]
            for by in (1e-5, -1e-5)
        )
        assert (up - down) / 2e-5 == pytest.approx(gradients[weight][at], rel=1e-6, abs=1e-9)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _numpy_supervised(setup: Setup, row: int, early: dict, late: dict, steps: int) -> float:
    """Cross-entropy of one row, read with weights `early`, and with `late` in its last steps."""
    x = setup.case.sequences[row] / 255
    c = h = np.zeros(setup.weights['main/recurrent_kernel'].shape[0])
    for t in range(len(x)):
        w = late if t >= len(x) - steps else early
        z = x[t] @ w['embedding'] @ w['main/kernel'] + h @ w['main/recurrent_kernel']
        i, f, g, o = np.split(z + w['main/bias'], 4)
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
    for layer in ('hidden_1', 'hidden_2'):
        h = h @ late[f'classifier/{layer}/kernel'] + late[f'classifier/{layer}/bias']
        h = np.maximum(h, 0)
    logits = h @ late['classifier/output/kernel'] + late['classifier/output/bias']
    return float(np.log(np.exp(logits).sum()) - logits[setup.case.labels[row]])


@pytest.mark.parametrize('name', ['none_t_not_multiple', 'none_last_step_only', 'none_s_0'])
def test_oracle_cuts_the_supervised_loss_before_exactly_the_last_steps(name):
    """A truncated gradient moves the weights of the last S steps only: finite differences again."""
    setup = _made(name)
    steps, rows = setup.case.supervised_bptt_steps, range(len(setup.case.sequences))
    gradients = _truth(name).gradients
    rng = np.random.default_rng(2)
    for weight in ('embedding', 'main/kernel', 'main/recurrent_kernel', 'classifier/output/bias'):
        at = tuple(int(rng.integers(n)) for n in setup.weights[weight].shape)
        up, down = (
            np.mean(
                [
                    _numpy_supervised(
                        setup, row, setup.weights, _nudged(setup.weights, weight, at, by), steps
                    )
                    for row in rows
                ]
            )
            for by in (1e-5, -1e-5)
        )
        assert (up - down) / 2e-5 == pytest.approx(gradients[weight][at], rel=1e-6, abs=1e-9)
