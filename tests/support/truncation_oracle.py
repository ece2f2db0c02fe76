"""The slow judge of truncated gradients: float64, one unrolling per (loss, example, anchor).

Written from section 2 of the design alone. Nothing here is clever: each loss of each example is
unrolled from its first step, `tf.stop_gradient` is put on (c, h) at that loss's cuts, and the
gradients are added up. A cut at t lies between step t-1 and step t: the state after t steps is
stopped on its way into step t (or into the decoder, classifier or readout, where those read it).
A window, of a readout or of replication, is unrolled once: all of its anchors have the one cut at
its first step.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import readout_oracle
import tensorflow as tf

LOSSES = ('supervised', 'reconstruction', 'prediction', 'replication')
SABOTAGES = ('cut_moved', 'c_uncut', 'shared_anchor')

Weights = dict[str, tf.Tensor]
State = tuple[tf.Tensor, tf.Tensor]  # (c, h), each [1, U]


@dataclasses.dataclass(frozen=True)
class Case:
    """One batch, its anchors and how it is to be trained."""

    sequences: list[
        np.ndarray
    ]  # per row: uint8 [T_i, C] pixels, float [T_i, C], or int32 [T_i] token ids
    labels: np.ndarray  # int32 [B]; -1 = no label
    r_anchors: np.ndarray  # int [B, K]; also the ends of the readouts' and replication's windows
    r_starts: np.ndarray  # int [B, K]
    p_anchors: np.ndarray  # int [B, K]
    auxiliary_steps: list[int]  # L_i per row
    supervised_bptt_steps: int  # S of the supervised loss
    auxiliary_bptt_steps: int  # S of both auxiliary losses, and of replication
    supervised_weight: float = 1.0  # 0 = this loss is not used
    reconstruction_weight: float = 1.0
    prediction_weight: float = 1.0
    replication_weight: float = 0.0  # the supervised loss also in windows of the row
    fed: np.ndarray | None = None  # bool [B, K, max L - 1]; input 0 is always fed
    dropconnect: np.ndarray | None = None  # [F, F] multiplier of classifier/hidden_2's kernel
    global_batch_size: int | None = None  # None: B
    levels: int | None = None  # pixels: cross-entropy over so many values of each channel
    scales: np.ndarray | None = None  # [C], ids: [1]; what each channel's r and p is divided by
    decoder_knows_distance: bool = False
    reconstruction_form: str = 'decoder'  # or 'readout'
    prediction_form: str = 'lstm'  # or 'readout'
    anchors_per_window: int = 1  # M of both readouts, and of replication
    r_distances: np.ndarray | None = None  # int [N]; readout only
    p_distances: np.ndarray | None = None  # int [N']; readout only


@dataclasses.dataclass(frozen=True)
class Result:
    """Losses by name (and 'total', weighted), and the gradient of the total by weight."""

    losses: dict[str, float]
    gradients: dict[str, np.ndarray]


def make_weights(
    *,
    input_rows: int,
    classes: int,
    embedding_units: int,
    hidden_units: int,
    head_units: int,
    seed: int,
    share_embedding: bool = True,
    reconstruction: bool = True,
    prediction: bool = True,
    levels: int | None = None,
    reconstruction_form: str = 'decoder',
    prediction_form: str = 'lstm',
    readout_units: int | None = None,
    decoder_knows_distance: bool = False,
) -> dict[str, np.ndarray]:
    """Random weights whose gradients reach far back.

    The recurrent kernels are scaled orthogonal blocks and the forget gates are biased open, so
    that what a cut removes is a fair part of the gradient (`removed_share` measures it).
    """
    rng = np.random.default_rng(seed)
    outputs = input_rows * (levels or 1)
    weights: dict[str, np.ndarray] = {}

    def dense(name: str, rows: int, columns: int) -> None:
        weights[f'{name}/kernel'] = rng.normal(size=[rows, columns]) * np.sqrt(2 / rows)
        weights[f'{name}/bias'] = 0.4 + rng.normal(size=[columns]) * 0.3  # few dead ReLUs

    def lstm(name: str, rows: int) -> None:
        blocks = [np.linalg.qr(rng.normal(size=[hidden_units, hidden_units]))[0] for _ in range(4)]
        bias = rng.normal(size=[4, hidden_units]) * 0.2
        bias[1] += 2.0  # i, f, c, o: the forget gate stays open
        weights[f'{name}/kernel'] = rng.normal(size=[rows, 4 * hidden_units]) * np.sqrt(2 / rows)
        weights[f'{name}/recurrent_kernel'] = 1.2 * np.concatenate(blocks, axis=1)
        weights[f'{name}/bias'] = bias.reshape(-1)

    def auxiliary_head(name: str) -> None:
        dense(f'{name}/hidden', hidden_units, head_units)
        dense(f'{name}/output', head_units, outputs)

    def readout(name: str) -> None:
        weights.update(
            readout_oracle.make_weights(
                rng, name, hidden_units=hidden_units, units=readout_units, outputs=outputs
            )
        )

    weights['embedding'] = rng.normal(size=[input_rows, embedding_units])
    lstm('main', embedding_units)
    dense('classifier/hidden_1', hidden_units, head_units)
    dense('classifier/hidden_2', head_units, head_units)
    dense('classifier/output', head_units, classes)
    if reconstruction and reconstruction_form == 'decoder':
        lstm('reconstruction/bottom', embedding_units)
        lstm('reconstruction/top', hidden_units)
        auxiliary_head('reconstruction/head')
        if not share_embedding:
            weights['reconstruction/embedding'] = rng.normal(size=[input_rows, embedding_units])
        if decoder_knows_distance:
            shape = [readout_oracle.FEATURES, 2 * hidden_units]
            weights['reconstruction/distance/kernel'] = rng.normal(size=shape) * 0.2
    if prediction and prediction_form == 'lstm':
        lstm('prediction/lstm', hidden_units)
        auxiliary_head('prediction/head')
    if reconstruction and reconstruction_form == 'readout':
        readout('reconstruction')
    if prediction and prediction_form == 'readout':
        readout('prediction')
    return weights


def _stop(state: State) -> State:
    c, h = state
    return tf.stop_gradient(c), tf.stop_gradient(h)


def _stop_only_h(state: State) -> State:
    c, h = state
    return c, tf.stop_gradient(h)


def _zero_state(w: Weights, name: str) -> State:
    zeros = tf.zeros([1, w[f'{name}/recurrent_kernel'].shape[0]], tf.float64)
    return zeros, zeros


def _step(w: Weights, name: str, x: tf.Tensor, state: State) -> State:
    c, h = state
    z = x @ w[f'{name}/kernel'] + h @ w[f'{name}/recurrent_kernel'] + w[f'{name}/bias']
    i, f, g, o = tf.split(z, 4, axis=1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return c, tf.sigmoid(o) * tf.tanh(c)


def _dense(w: Weights, name: str, x: tf.Tensor) -> tf.Tensor:
    return x @ w[f'{name}/kernel'] + w[f'{name}/bias']


def _auxiliary_head(w: Weights, name: str, h: tf.Tensor) -> tf.Tensor:
    return _dense(w, f'{name}/output', tf.nn.relu(_dense(w, f'{name}/hidden', h)))


def _is_ids(sequence: np.ndarray) -> bool:
    return sequence.ndim == 1


def _value(sequence: np.ndarray, t: int) -> tf.Tensor | int:
    """Step t as the model sees it: an id, or its C values, [1, C]: pixels in 0..1."""
    if _is_ids(sequence):
        return int(sequence[t])
    scale = 255 if sequence.dtype == np.uint8 else 1
    return tf.constant(sequence[t : t + 1].astype(np.float64) / scale)


def _embed(embedding: tf.Tensor, value: tf.Tensor | int) -> tf.Tensor:
    return embedding[value : value + 1] if isinstance(value, int) else value @ embedding


def _cross_entropy(logits: tf.Tensor, label: int) -> tf.Tensor:
    return -tf.nn.log_softmax(logits)[0, label]


def _step_loss(case: Case, row: int, output: tf.Tensor, t: int) -> tf.Tensor:
    """The loss of what is said for step t of a row."""
    sequence = case.sequences[row]
    if _is_ids(sequence):
        channels = [_cross_entropy(output, int(sequence[t]))]
    elif case.levels is None:
        channels = tf.unstack(tf.square(output - _value(sequence, t))[0])
    else:
        # The stored bytes are the levels themselves.
        channels = [
            _cross_entropy(output[:, c * case.levels : (c + 1) * case.levels], int(level))
            for c, level in enumerate(sequence[t])
        ]
    if case.scales is not None:
        # Where the scale is 0 there is nothing to tell: a loss of 0, counted in the mean.
        channels = [
            loss / scale if scale else tf.zeros([], tf.float64)
            for loss, scale in zip(channels, map(float, case.scales), strict=True)
        ]
    return _mean(channels)


def _said(case: Case, row: int, output: tf.Tensor) -> tf.Tensor | int:
    """What was said, as the next input: no gradient flows through it."""
    if _is_ids(case.sequences[row]):
        return int(np.argmax(output[0].numpy()))
    if case.levels is None:
        return tf.stop_gradient(output)
    best = np.argmax(output.numpy().reshape(-1, case.levels), axis=1)
    return tf.constant(best[np.newaxis] / 255)


def _mean(values: list[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(values) / len(values) if values else tf.zeros([], tf.float64)


@dataclasses.dataclass(frozen=True)
class _Cutter:
    """Where and how one loss is cut; `without` leaves out the cut of that number, or all."""

    stop: Callable[[State], State] = _stop
    shift: int = 0
    without: int | str | None = None

    def cuts(self, case: Case, loss: str, row: int, anchor: int) -> set[int]:
        length = len(case.sequences[row])
        if has_windows(case, loss):
            steps = case.auxiliary_bptt_steps
            first, _ = readout_oracle.window(anchor, steps, length)
            found = [first]
        elif loss == 'supervised':
            steps = case.supervised_bptt_steps
            found = [length - steps]
        elif loss == 'reconstruction':
            steps = case.auxiliary_bptt_steps
            found = [anchor - steps]
        else:
            steps = case.auxiliary_bptt_steps
            assert steps >= 1, 'prediction has no meaning without a gradient'
            found = list(range(anchor, anchor + case.auxiliary_steps[row], steps))
        if steps >= length or self.without == 'all':
            return set()
        return {t + self.shift for n, t in enumerate(found) if n != self.without}

    def apply(self, state: State, t: int, cuts: set[int]) -> State:
        return self.stop(state) if t in cuts else state


def _top_start(w: Weights, case: Case, distance: int) -> State:
    """What the decoder's top layer starts from, `distance` steps after the first that it says."""
    if not case.decoder_knows_distance:
        return _zero_state(w, 'reconstruction/top')
    features = tf.constant(readout_oracle.sinusoids(distance)[np.newaxis])
    c, h = tf.split(features @ w['reconstruction/distance/kernel'], 2, axis=1)
    return c, h


def _main_states(w: Weights, sequence: np.ndarray, cuts: set[int], cutter: _Cutter) -> list[State]:
    """The state after 0..T steps, each as its own step left it (cut only on its way onwards)."""
    states = [_zero_state(w, 'main')]
    for t in range(len(sequence)):
        x = _embed(w['embedding'], _value(sequence, t))
        states.append(_step(w, 'main', x, cutter.apply(states[t], t, cuts)))
    return states


def _supervised(w: Weights, case: Case, row: int, cutter: _Cutter) -> tf.Tensor:
    sequence = case.sequences[row]
    cuts = cutter.cuts(case, 'supervised', row, 0)
    states = _main_states(w, sequence, cuts, cutter)
    _, h = cutter.apply(states[-1], len(sequence), cuts)
    return _classification(w, case, row, h)


def _classification(w: Weights, case: Case, row: int, h: tf.Tensor) -> tf.Tensor:
    """The loss of the row's label as it is told from h."""
    x = tf.nn.relu(_dense(w, 'classifier/hidden_1', h))
    kernel = w['classifier/hidden_2/kernel']
    if case.dropconnect is not None:
        kernel = kernel * tf.constant(case.dropconnect, tf.float64)
    x = tf.nn.relu(x @ kernel + w['classifier/hidden_2/bias'])
    return _cross_entropy(_dense(w, 'classifier/output', x), int(case.labels[row]))


def _reconstruction(
    w: Weights, case: Case, row: int, k: int, anchors: tuple[int, int], cutter: _Cutter
) -> tf.Tensor:
    sequence = case.sequences[row]
    anchor, start = anchors
    embedding = w.get('reconstruction/embedding', w['embedding'])
    cuts = cutter.cuts(case, 'reconstruction', row, anchor)
    states = _main_states(w, sequence, cuts, cutter)
    bottom = cutter.apply(states[anchor], anchor, cuts)
    top = _top_start(w, case, anchor - start)
    output, losses = None, []
    for j in range(case.auxiliary_steps[row] - 1):
        if j == 0 or case.fed is None or case.fed[row, k, j]:
            value = _value(sequence, start + j)
        else:
            value = _said(case, row, output)
        bottom = _step(w, 'reconstruction/bottom', _embed(embedding, value), bottom)
        top = _step(w, 'reconstruction/top', bottom[1], top)
        output = _auxiliary_head(w, 'reconstruction/head', top[1])
        losses.append(_step_loss(case, row, output, start + j + 1))
    return _mean(losses)


def _prediction(w: Weights, case: Case, row: int, anchor: int, cutter: _Cutter) -> tf.Tensor:
    sequence = case.sequences[row]
    cuts = cutter.cuts(case, 'prediction', row, anchor)
    states = _main_states(w, sequence, cuts, cutter)
    state = _zero_state(w, 'prediction/lstm')
    losses = []
    for t in range(anchor, anchor + case.auxiliary_steps[row]):
        if t + 1 >= len(sequence):  # no such target
            break
        # The output of step t is read uncut: a cut at t + 1 stops only what is carried onwards.
        h = states[t + 1][1]
        state = _step(w, 'prediction/lstm', h, cutter.apply(state, t, cuts))
        output = _auxiliary_head(w, 'prediction/head', state[1])
        losses.append(_step_loss(case, row, output, t + 1))
    return _mean(losses)


def _readout(w: Weights, case: Case, loss: str, row: int, end: int, cutter: _Cutter) -> tf.Tensor:
    """r or p, as readouts, of one window."""
    sequence = case.sequences[row]
    cuts = cutter.cuts(case, loss, row, end)
    states = _main_states(w, sequence, cuts, cutter)
    first, size = readout_oracle.window(end, case.auxiliary_bptt_steps, len(sequence))
    distances = case.r_distances if loss == 'reconstruction' else case.p_distances
    losses = []
    for anchor in readout_oracle.anchors(first, size, case.anchors_per_window):
        _, h = cutter.apply(states[anchor], anchor, cuts)
        found = []
        for distance in map(int, distances):
            t = readout_oracle.target(loss, anchor, distance, len(sequence))
            if t is not None:
                output = readout_oracle.output(w, loss, h, distance)
                found.append(_step_loss(case, row, output, t))
        losses.append(_mean(found))
    return _mean(losses)


def _replication(w: Weights, case: Case, row: int, end: int, cutter: _Cutter) -> tf.Tensor:
    """The supervised loss at the anchors of one window."""
    sequence = case.sequences[row]
    cuts = cutter.cuts(case, 'replication', row, end)
    states = _main_states(w, sequence, cuts, cutter)
    first, size = readout_oracle.window(end, case.auxiliary_bptt_steps, len(sequence))
    losses = []
    for anchor in readout_oracle.anchors(first, size, case.anchors_per_window):
        _, h = cutter.apply(states[anchor], anchor, cuts)
        losses.append(_classification(w, case, row, h))
    return _mean(losses)


def _evaluate(
    case: Case, weights: dict[str, np.ndarray], cutter: _Cutter, shared_anchor: bool = False
) -> Result:
    w = {name: tf.constant(value, tf.float64) for name, value in weights.items()}
    rows = len(case.sequences)
    size = case.global_batch_size or rows
    anchors = np.asarray(case.r_anchors).shape[1]
    factors = {
        'supervised': case.supervised_weight,
        'reconstruction': case.reconstruction_weight,
        'prediction': case.prediction_weight,
        'replication': case.replication_weight,
    }
    losses = dict.fromkeys(LOSSES, 0.0)
    gradients = {name: np.zeros_like(value, np.float64) for name, value in weights.items()}

    def add(loss: str, share: float, compute: Callable[[], tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            tape.watch(w)
            value = compute()
        found = tape.gradient(value, w, unconnected_gradients=tf.UnconnectedGradients.ZERO)
        losses[loss] += share * float(value)
        for name, gradient in found.items():
            gradients[name] += factors[loss] * share * gradient.numpy()

    for row in range(rows):
        source = 0 if shared_anchor else row
        if factors['supervised'] and case.labels[row] >= 0:
            add('supervised', 1 / size, lambda: _supervised(w, case, row, cutter))
        for k in range(anchors):
            share = 1 / (anchors * size)
            end = int(case.r_anchors[source, k])  # all windows are the same
            if factors['replication'] and case.labels[row] >= 0:
                add('replication', share, lambda: _replication(w, case, row, end, cutter))
            for loss in LOSSES:
                if factors[loss] and is_readout(case, loss):
                    add(loss, share, lambda: _readout(w, case, loss, row, end, cutter))
            if factors['reconstruction'] and not is_readout(case, 'reconstruction'):
                both = int(case.r_anchors[source, k]), int(case.r_starts[source, k])
                add(
                    'reconstruction',
                    share,
                    lambda: _reconstruction(w, case, row, k, both, cutter),
                )
            if factors['prediction'] and not is_readout(case, 'prediction'):
                a = int(case.p_anchors[source, k])
                add('prediction', share, lambda: _prediction(w, case, row, a, cutter))
    losses['total'] = sum(factors[name] * losses[name] for name in LOSSES)
    return Result(losses, gradients)


def evaluate(case: Case, weights: dict[str, np.ndarray], *, sabotage: str | None = None) -> Result:
    """The true losses and gradients, or those of a known mistake (`sabotage`)."""
    assert sabotage is None or sabotage in SABOTAGES
    cutter = _Cutter(
        stop=_stop_only_h if sabotage == 'c_uncut' else _stop,
        shift=1 if sabotage == 'cut_moved' else 0,
    )
    return _evaluate(case, weights, cutter, shared_anchor=sabotage == 'shared_anchor')


def norm(gradients: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(np.square(g)) for g in gradients.values())))


def is_readout(case: Case, loss: str) -> bool:
    """Whether this loss, if in use, is a readout's."""
    return loss in ('reconstruction', 'prediction') and getattr(case, f'{loss}_form') == 'readout'


def has_windows(case: Case, loss: str) -> bool:
    """Whether this loss, if in use, is computed in windows."""
    return loss == 'replication' or is_readout(case, loss)


def is_cut(case: Case, loss: str) -> bool:
    """Whether this loss is in use and cut in at least one row."""
    needs_label = loss in ('supervised', 'replication')
    rows = zip(case.sequences, case.labels, strict=True)
    lengths = [len(s) for s, label in rows if label >= 0 or not needs_label]
    steps = case.supervised_bptt_steps if loss == 'supervised' else case.auxiliary_bptt_steps
    return getattr(case, f'{loss}_weight') != 0 and steps < max(lengths, default=0)


def removed_share(case: Case, weights: dict[str, np.ndarray], loss: str) -> float:
    """What the cuts of one loss remove, as a share of its uncut gradient's norm: the least of them.

    Each cut is judged alone: the gradient with all the others but without this one against the
    gradient with all of them (only p's LSTM has several, ceil(L / S)). All of them together must
    remove as much too.
    """
    zero = {f'{other}_weight': 0.0 for other in LOSSES if other != loss}
    alone = dataclasses.replace(case, **zero)
    true = _evaluate(alone, weights, _Cutter()).gradients
    count = 1
    if loss == 'prediction' and not is_readout(case, loss):
        count = -(-max(case.auxiliary_steps) // case.auxiliary_bptt_steps)
    shares = []
    for without in [*range(count), 'all'] if count > 1 else [0]:
        more = _evaluate(alone, weights, _Cutter(without=without)).gradients
        removed = {name: more[name] - true[name] for name in true}
        shares.append(norm(removed) / norm(more))
    return min(shares)
