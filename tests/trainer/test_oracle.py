"""The slow oracle of the truncated objective judged by itself: no product is imported here."""

import dataclasses

import numpy as np
import pytest
import truncation_oracle
from truncation_oracle import LOSSES
from truncation_setups import FOUND, SABOTAGED, SETUPS, Setup, errors, made, sabotaged, truth

# It judges; what it judges by does not change from day to day.
pytestmark = pytest.mark.long


def _cut_losses() -> list[tuple[str, str]]:
    return [
        (name, loss)
        for name in SETUPS
        for loss in LOSSES
        if truncation_oracle.is_cut(made(name).case, loss)
    ]


@pytest.mark.parametrize(('name', 'loss'), _cut_losses())
def test_every_cut_removes_a_fair_share(name, loss):
    """Else gradients that vanish by themselves would hide a wrong cut."""
    setup = made(name)
    assert truncation_oracle.removed_share(setup.case, setup.weights, loss) >= 0.01


@pytest.mark.parametrize(('name', 'sabotage'), SABOTAGED)
def test_every_sabotage_shows(name, sabotage):
    wrong = sabotaged(name, sabotage)
    assert max(errors(truth(name), wrong).values()) > FOUND


def _nudged(weights: dict[str, np.ndarray], name: str, at: tuple, by: float) -> dict:
    moved = weights[name].copy()
    moved[at] += by
    return weights | {name: moved}


@pytest.mark.parametrize('name', ['rp_uncut', 'documents_uncut', 'signals_uncut'])
def test_oracle_agrees_with_finite_differences_where_nothing_is_cut(name):
    setup = made(name)
    gradients = truth(name).gradients
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


def _directions(gradients: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A random direction in which each weight's part of the slope is of order one."""
    rng = np.random.default_rng(1)
    return {n: rng.normal(size=g.shape) / (np.linalg.norm(g) or 1) for n, g in gradients.items()}


def _moved(weights: dict[str, np.ndarray], directions: dict[str, np.ndarray], by: float) -> dict:
    return {n: w + by * directions[n] for n, w in weights.items()}


@pytest.mark.parametrize(
    'name',
    [
        'distance_uncut',
        'readout_rp_uncut',
        'readout_documents_uncut',
        'replication_uncut',
        'replication_documents_uncut',
    ],
)
def test_oracle_agrees_with_finite_differences_of_all_weights_at_once(name):
    setup = made(name)
    gradients = truth(name).gradients
    directions = _directions(gradients)
    up, down = (
        truncation_oracle.evaluate(setup.case, _moved(setup.weights, directions, by)).losses[
            'total'
        ]
        for by in (1e-6, -1e-6)
    )
    slope = sum(np.sum(g * directions[n]) for n, g in gradients.items())
    assert (up - down) / 2e-6 == pytest.approx(slope, rel=1e-6)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _numpy_step(w: dict, x: np.ndarray, c: np.ndarray, h: np.ndarray) -> tuple:
    z = x @ w['embedding'] @ w['main/kernel'] + h @ w['main/recurrent_kernel'] + w['main/bias']
    i, f, g, o = np.split(z, 4)
    c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
    return c, _sigmoid(o) * np.tanh(c)


def _numpy_supervised(setup: Setup, row: int, early: dict, late: dict, steps: int) -> float:
    """Cross-entropy of one row, read with weights `early`, and with `late` in its last steps."""
    x = setup.case.sequences[row] / 255
    c = h = np.zeros(setup.weights['main/recurrent_kernel'].shape[0])
    for t in range(len(x)):
        w = late if t >= len(x) - steps else early
        c, h = _numpy_step(w, x[t], c, h)
    for layer in ('hidden_1', 'hidden_2'):
        h = h @ late[f'classifier/{layer}/kernel'] + late[f'classifier/{layer}/bias']
        h = np.maximum(h, 0)
    logits = h @ late['classifier/output/kernel'] + late['classifier/output/bias']
    return float(np.log(np.exp(logits).sum()) - logits[setup.case.labels[row]])


@pytest.mark.parametrize('name', ['none_t_not_multiple', 'none_last_step_only', 'none_s_0'])
def test_oracle_cuts_the_supervised_loss_before_exactly_the_last_steps(name):
    """A truncated gradient moves the weights of the last S steps only: finite differences again."""
    setup = made(name)
    steps, rows = setup.case.supervised_bptt_steps, range(len(setup.case.sequences))
    gradients = truth(name).gradients
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


def _numpy_layers(w: dict, name: str, x: np.ndarray, layers: list[str]) -> np.ndarray:
    for layer in layers:
        x = np.maximum(x, 0) if layer != layers[0] else x
        x = x @ w[f'{name}/{layer}/kernel'] + w[f'{name}/{layer}/bias']
    return x


def _numpy_readout(case: truncation_oracle.Case, loss: str, early: dict, late: dict) -> float:
    """One readout's loss, squared errors; weights `late` in each window and `early` before it."""
    total = []
    is_r = loss == 'reconstruction'
    for row, sequence in enumerate(case.sequences):
        x = sequence / (255 if sequence.dtype == np.uint8 else 1.0)
        size = min(case.auxiliary_bptt_steps, len(x))
        for end in case.r_anchors[row]:
            first = max(0, end - size)
            parts = np.arange(1, case.anchors_per_window + 1) * size / case.anchors_per_window
            ends = (first + np.ceil(parts)).tolist()
            c = h = np.zeros(early['main/recurrent_kernel'].shape[0])
            for t in range(first + size):
                c, h = _numpy_step(late if t >= first else early, x[t], c, h)
                for _ in range(ends.count(t + 1)):
                    errors = []
                    for d in case.r_distances if is_r else case.p_distances:
                        to = t + 1 - d if is_r else t + d
                        if not 0 <= to < len(x):
                            continue
                        angles = 2 * np.pi * d / (4 * 1.6 ** np.arange(24))
                        phi = np.concatenate([np.sin(angles), np.cos(angles)])
                        name = f'{loss}/readout'
                        said = _numpy_layers(late, f'{name}/state', h, ['hidden', 'output'])
                        said *= _numpy_layers(
                            late, f'{name}/distance', phi, ['hidden_1', 'hidden_2', 'output']
                        )
                        error = np.square(_numpy_layers(late, name, said, ['output']) - x[to])
                        if case.scales is not None:
                            error = np.where(
                                case.scales, error / np.where(case.scales, case.scales, 1), 0
                            )
                        errors.append(error.mean())
                    total.append(np.mean(errors) if errors else 0.0)
    return float(np.mean(total))


@pytest.mark.parametrize(
    ('name', 'loss'),
    [
        ('readout_rp', 'reconstruction'),
        ('readout_rp', 'prediction'),
        ('readout_r_far', 'reconstruction'),
        ('decoder_r_readout_p', 'prediction'),
        ('readout_signals', 'prediction'),
        ('readout_scales_signals', 'reconstruction'),
    ],
)
def test_oracle_cuts_readouts_before_exactly_their_windows(name, loss):
    setup = made(name)
    weights = {f'{other}_weight': float(other == loss) for other in LOSSES}
    case = dataclasses.replace(setup.case, **weights)
    true = truncation_oracle.evaluate(case, setup.weights)
    assert _numpy_readout(case, loss, setup.weights, setup.weights) == pytest.approx(
        true.losses[loss], rel=1e-12
    )
    directions = _directions(true.gradients)
    up, down = (
        _numpy_readout(case, loss, setup.weights, _moved(setup.weights, directions, by))
        for by in (1e-6, -1e-6)
    )
    slope = sum(np.sum(g * directions[n]) for n, g in true.gradients.items())
    assert (up - down) / 2e-6 == pytest.approx(slope, rel=1e-6)
