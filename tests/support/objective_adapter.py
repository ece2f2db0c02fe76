"""Runs the product's objective on an oracle case and gives back an oracle-shaped result."""

import numpy as np
import tensorflow as tf
from truncation_oracle import Case, Result

from trainer.config import ModelConfig, ObjectiveConfig
from trainer.models.batch import Batch
from trainer.models.long_sequence import LongSequenceModel
from trainer.models.objective import TruncatedObjective
from trainer.models.step_losses import StepLoss


def _sizes(weights: dict[str, np.ndarray]) -> ModelConfig:
    return ModelConfig(
        embedding_units=weights['embedding'].shape[1],
        hidden_units=weights['main/recurrent_kernel'].shape[0],
        head_units=weights['classifier/hidden_1/kernel'].shape[1],
        share_embedding='reconstruction/embedding' not in weights,
        **_readout_units(weights),
    )


def _readout_units(weights: dict[str, np.ndarray]) -> dict[str, int]:
    kernels = [v for name, v in weights.items() if name.endswith('readout/output/kernel')]
    return {'readout_units': kernels[0].shape[0]} if kernels else {}


def build_model(case: Case, weights: dict[str, np.ndarray], dtype: tf.DType) -> LongSequenceModel:
    model = LongSequenceModel(
        _sizes(weights),
        input_rows=weights['embedding'].shape[0],
        classes=weights['classifier/output/kernel'].shape[1],
        seed=0,
        objective=_config(case),
        loss=StepLoss(case.levels, None if case.scales is None else tuple(map(float, case.scales))),
        dtype=dtype,
    )
    for variable in model.trainable_variables:
        variable.assign(weights[variable.name.removesuffix(':0')])
    return model


def _batch(case: Case, segment_steps: int) -> Batch:
    lengths = np.array([len(s) for s in case.sequences], np.int32)
    fixed = len(set(lengths)) == 1 and len(set(case.auxiliary_steps)) == 1
    total = int(lengths.max())
    if not fixed:
        total = -(-total // segment_steps) * segment_steps
    first = case.sequences[0]
    inputs = np.zeros([len(lengths), total, *first.shape[1:]], first.dtype)
    for row, sequence in zip(inputs, case.sequences, strict=True):
        row[total - len(sequence) :] = sequence
    anchors = (case.r_anchors, case.r_starts, case.p_anchors)
    distances = (case.r_distances, case.p_distances)
    return Batch(
        tf.constant(inputs),
        None if fixed else tf.constant(lengths),
        tf.constant(case.labels),
        *(tf.constant(a, tf.int32) for a in anchors),
        None if case.fed is None else tf.constant(case.fed),
        *(None if d is None else tf.constant(d, tf.int32) for d in distances),
    )


def _config(case: Case) -> ObjectiveConfig:
    return ObjectiveConfig(
        supervised_bptt_steps=case.supervised_bptt_steps,
        auxiliary_bptt_steps=case.auxiliary_bptt_steps,
        auxiliary_steps=int(max(case.auxiliary_steps)),
        anchors_per_sequence=case.r_anchors.shape[1],
        supervised_weight=case.supervised_weight,
        reconstruction_weight=case.reconstruction_weight,
        prediction_weight=case.prediction_weight,
        replication_weight=case.replication_weight,
        reconstruction_form=case.reconstruction_form,
        prediction_form=case.prediction_form,
        decoder_knows_distance=case.decoder_knows_distance,
        relative_losses=case.scales is not None,
        anchors_per_window=case.anchors_per_window,
    )


def _objective(case: Case, segment_steps: int, fixed: bool) -> TruncatedObjective:
    steps = int(max(case.auxiliary_steps))
    if not fixed:
        expected = [min(steps, max(1, len(s) // 2)) for s in case.sequences]
        assert list(case.auxiliary_steps) == expected, 'L_i of documents is fixed by the design'
    return TruncatedObjective(_config(case), segment_steps, supervised=case.supervised_weight != 0)


def evaluate(
    case: Case,
    weights: dict[str, np.ndarray],
    *,
    segment_steps: int,
    dtype: str = 'float64',
    sabotage: str | None = None,
) -> Result:
    """The product's losses and gradients on a case; `sabotage` must be None (the oracle has it)."""
    assert sabotage is None
    model = build_model(case, weights, tf.as_dtype(dtype))
    batch = _batch(case, segment_steps)
    objective = _objective(case, segment_steps, fixed=batch.lengths is None)
    size = case.global_batch_size or len(case.sequences)
    mask = None if case.dropconnect is None else tf.constant(case.dropconnect, dtype)

    names = ('supervised', 'reconstruction', 'prediction', 'replication')

    @tf.function(autograph=False)
    def compute() -> tuple:
        with tf.GradientTape() as tape:
            losses = objective.losses(model, batch, mask)
            total = objective.total(losses, size)
        gradients = tape.gradient(
            total, model.trainable_variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
        )
        # A loss that is not used costs nothing.
        by_name = dict.fromkeys(names, tf.zeros([1], dtype))
        by_name |= {**losses._asdict(), **losses.at_anchors}
        parts = [tf.reduce_sum(by_name[name]) / size for name in names]
        return parts, total, gradients

    parts, total, gradients = compute()
    found = {name: np.zeros_like(value) for name, value in weights.items()}
    for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
        found[variable.name.removesuffix(':0')] = gradient.numpy().astype(np.float64)
    losses = {n: float(v) for n, v in zip(names, parts, strict=True)} | {'total': float(total)}
    return Result(losses, found)
