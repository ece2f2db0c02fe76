"""torch_truncated is our r-LSTM: the same loss and gradients from the same weights."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tools.benchmark.step.implementations import longhaul, torch_lstm, torch_training
from tools.benchmark.step.rows import Spec

torch = pytest.importorskip('torch')
torch_r_lstm = pytest.importorskip('tools.benchmark.step.implementations.torch_r_lstm')

SPEC = Spec(
    command='step',
    implementation='longhaul',
    model='r',
    length=41,
    batch=6,
    units=8,
    bptt_steps=7,
    auxiliary_steps=9,
    anchors=2,
    steps=1,
)
# Ours -> PyTorch's; kernels are transposed there.
LSTMS = {'main': 'main.{}_l0', 'reconstruction/bottom': 'decoder.{}_l0'}
LSTMS |= {'reconstruction/top': 'decoder.{}_l1'}
DENSE = {
    'classifier/hidden_1': 'classifier.0',
    'classifier/hidden_2': 'classifier.2',
    'classifier/output': 'classifier.4',
    'reconstruction/head/hidden': 'head.0',
    'reconstruction/head/output': 'head.2',
}
NAMES = {'embedding': 'embedding.weight'}
for ours, theirs in LSTMS.items():
    NAMES[f'{ours}/kernel'] = theirs.format('weight_ih')
    NAMES[f'{ours}/recurrent_kernel'] = theirs.format('weight_hh')
    NAMES[f'{ours}/bias'] = theirs.format('bias_ih')
for ours, theirs in DENSE.items():
    NAMES |= {f'{ours}/kernel': f'{theirs}.weight', f'{ours}/bias': f'{theirs}.bias'}


@pytest.fixture(scope='module')
def reference() -> tuple[dict, dict, np.ndarray]:
    """Weights and gradients by our names, and the losses [2, B], of the product."""
    task = longhaul.make_task(SPEC, dropconnect_rate=0.0)
    model = task.build_model()
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        # Lively ones, so that what lies before a cut would be felt.
        variable.assign(0.4 * rng.standard_normal(variable.shape))
    step = tf.constant(0, tf.int64)
    losses, gradients = task.gradients(longhaul.make_inputs(SPEC), model, step)
    names = [v.name.removesuffix(':0') for v in model.trainable_variables]
    weights = {n: v.numpy() for n, v in zip(names, model.trainable_variables, strict=True)}
    found = {n: np.array(g) for n, g in zip(names, gradients, strict=True)}
    return weights, found, np.stack([losses.supervised, losses.reconstruction])


def evaluate(weights, *, bptt_steps=SPEC.bptt_steps, rows=slice(None)):
    """Losses [2, B] and gradients by our names, of PyTorch."""
    module = torch_r_lstm.TruncatedLSTM(
        units=SPEC.units,
        bptt_steps=bptt_steps,
        auxiliary_steps=SPEC.auxiliary_steps,
        reconstructs=True,
    )
    parameters = dict(module.named_parameters())
    assert {n for n, p in parameters.items() if p.requires_grad} == set(NAMES.values())
    with torch.no_grad():
        for name, value in weights.items():
            parameters[NAMES[name]].copy_(torch.tensor(value.T))
    tensors = torch_training.tensors(SPEC)
    rest = (tensors[name][rows] for name in ('labels', 'r_anchors', 'r_starts'))
    losses = torch.stack(module.losses(torch_r_lstm.Batch(tensors['inputs'][:, rows], *rest)))
    (losses.sum() / SPEC.batch).backward()
    gradients = {name: parameters[NAMES[name]].grad.numpy().T for name in weights}
    return losses.detach().numpy(), gradients


def distance(a, b):
    """Relative, over all gradients."""
    difference = sum(np.sum((a[name] - b[name]) ** 2) for name in b)
    return (difference / sum(np.sum(b[name] ** 2) for name in b)) ** 0.5


def test_losses_and_gradients_are_ours(reference):
    weights, gradients, losses = reference
    got, found = evaluate(weights)
    np.testing.assert_allclose(got, losses, rtol=1e-4)
    assert distance(found, gradients) < 1e-4
    _, found = evaluate(weights, bptt_steps=SPEC.bptt_steps - 1)
    assert distance(found, gradients) > 1e-3


def test_parts_of_the_batch_add_up(reference):
    weights, gradients, losses = reference
    parts = [evaluate(weights, rows=rows) for rows in (slice(0, 2), slice(2, None))]
    np.testing.assert_allclose(np.concatenate([p[0] for p in parts], 1), losses, rtol=1e-4)
    summed = {name: parts[0][1][name] + parts[1][1][name] for name in gradients}
    assert distance(summed, gradients) < 1e-4


@pytest.mark.parametrize('model', ['r', 'plain'])
def test_step_trains(model):
    spec = dataclasses.replace(SPEC, implementation='torch_truncated', model=model)
    built = torch_lstm.build(spec)
    losses = [built.step() for _ in range(20)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5])
    assert built.settings['parts'] >= 1


def test_refuses_windows_longer_than_the_stretch():
    with pytest.raises(ValueError, match='bptt_steps=10: torch_truncated needs no more than'):
        evaluate({}, bptt_steps=10)
