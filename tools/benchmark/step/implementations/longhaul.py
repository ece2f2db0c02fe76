"""longhaul and transformer: our own models, trained as `trainer.main` trains them."""

import dataclasses
import math
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tools.benchmark.step.implementations import Built
from tools.benchmark.step.implementations.batches import CLASSES, made_up_batch
from tools.benchmark.step.rows import Spec

if TYPE_CHECKING:
    import tensorflow as tf

    from trainer.config import ObjectiveConfig
    from trainer.training.task import LonghaulTask

# Weights of the reconstruction and the prediction loss.
_WEIGHTS = {'r': (1.0, 0.0), 'p': (0.0, 1.0), 'rp': (1.0, 1.0), 'readout': (1.0, 0.0)}
_ANCHORS_PER_WINDOW, _DISTANCES = 13, 64


def load(spec: Spec) -> None:
    """Imports the trainer."""
    del spec
    from trainer import commands  # noqa: F401


def build(spec: Spec) -> Built:
    """A training step of a model, or a sweep."""
    return _sweep(spec) if spec.command == 'sweep' else _training(spec)


def _objective(spec: Spec) -> 'ObjectiveConfig':
    from trainer.config import ObjectiveConfig

    reconstruction, prediction = _WEIGHTS.get(spec.model, (0.0, 0.0))
    readout = spec.model == 'readout'
    return ObjectiveConfig(
        supervised_bptt_steps=spec.length if spec.model == 'full' else spec.bptt_steps,
        auxiliary_bptt_steps=spec.bptt_steps,
        auxiliary_steps=spec.auxiliary_steps,
        anchors_per_sequence=spec.anchors,
        reconstruction_weight=reconstruction,
        prediction_weight=prediction,
        reconstruction_form='readout' if readout else 'decoder',
        anchors_per_window=min(_ANCHORS_PER_WINDOW, spec.bptt_steps) if readout else 1,
        readout_distances=_DISTANCES,
        # As in gin/model/readout.gin.
        replication_weight=1.0 if readout else 0.0,
    )


def make_task(spec: Spec, *, dropconnect_rate: float = 0.5) -> 'LonghaulTask':
    """The task of a model on sequences of one channel, on the path that the trainer chooses.

    Embedding, heads and classifier of the Transformer are as wide as those of our LSTM.
    """
    from pipelines.format.records import RecordsInfo
    from pipelines.format.spec import SequenceSpec
    from trainer import config as c
    from trainer.devices import execution
    from trainer.training.task import LonghaulTask

    model = c.ModelConfig(
        architecture='transformer' if spec.implementation == 'transformer' else 'lstm',
        embedding_units=spec.units,
        hidden_units=spec.units,
        transformer_inner_units=spec.units,
        dropconnect_rate=dropconnect_rate,
    )
    data = c.DataConfig(batch_size=spec.batch)
    config = c.Config(model, _objective(spec), data, c.OptimizerConfig(), c.RunConfig())
    info = RecordsInfo(
        # Any side will do: the model reads the length of the sequences off the batch.
        spec=SequenceSpec('image', image_size=math.isqrt(spec.length)),
        segment_steps=spec.bptt_steps,
        auxiliary_steps=spec.auxiliary_steps,
        anchors_per_sequence=spec.anchors,
        anchor_sets=1,
        seed=0,
        class_names=tuple(map(str, range(CLASSES))),
        shards={},
        counts={},
        lengths={},
    )
    return LonghaulTask(config, info, execution=execution.prepare(config, tpu=False))


def make_inputs(spec: Spec) -> dict[str, 'tf.Tensor']:
    """The made-up batch, as the input pipeline gives it."""
    import tensorflow as tf

    asked = _distances(spec)
    return {
        'rows': tf.range(spec.batch),
        'lengths': tf.fill([spec.batch], spec.length),
        'counted': tf.fill([spec.batch], True),
        # No column: all decoder inputs are the truth.
        'fed': tf.zeros([spec.batch, spec.anchors, 0], tf.bool),
        'r_distances': tf.tile(asked[tf.newaxis], [spec.batch, 1]),
        'p_distances': tf.zeros([spec.batch, 0], tf.int32),
        **{name: tf.constant(values) for name, values in made_up_batch(spec).items()},
    }


def _distances(spec: Spec) -> 'tf.Tensor':
    """The distances that a readout is asked for, int32 [N]; none for the other models."""
    import tensorflow as tf

    from trainer.data.distances import draw_distances

    if spec.model != 'readout':
        return tf.zeros([0], tf.int32)
    return tf.constant(
        draw_distances(
            seed=0,
            step=None,
            count=_DISTANCES,
            farthest=spec.length,
            placement='uniform',
            future=False,
        )
    )


def _training(spec: Spec) -> Built:
    """One step of the trainer's own inner loop on one device."""
    import tensorflow as tf

    from trainer.data.replicas import ReplicaBatches
    from trainer.devices import strategies
    from trainer.devices.cluster import ClusterFlags
    from trainer.training.loop import PhaseTrainer
    from trainer.training.optimizers import make_optimizer

    task = make_task(spec)
    strategy = strategies.make_strategy(ClusterFlags())
    with strategy.scope():
        model = task.build_model()
        optimizer = make_optimizer(task.config.optimizer, phase_steps=1)
        optimizer.build(model.trainable_variables)
        trainer = PhaseTrainer(
            task,
            model=model,
            optimizer=optimizer,
            global_step=tf.Variable(0, dtype=tf.int64),
            dataset=ReplicaBatches(
                strategy, tf.data.Dataset.from_tensors(make_inputs(spec)).repeat()
            ),
        )

    def step() -> float:
        return float(trainer.train(tf.constant(1))['loss'])

    return Built(step, _settings(task, model.trainable_variables))


def _settings(task: 'LonghaulTask', variables: Sequence[Any]) -> dict[str, Any]:
    import tensorflow as tf

    threading = tf.config.threading
    return {
        'intra_op_threads': threading.get_intra_op_parallelism_threads(),
        'inter_op_threads': threading.get_inter_op_parallelism_threads(),
        'execution': str(task.execution),
        'XLA_FLAGS': os.environ.get('XLA_FLAGS', ''),
        'objective': dataclasses.asdict(task.config.objective),
        'model_config': dataclasses.asdict(task.config.model),
        'parameters': sum(v.shape.num_elements() for v in variables),
    }


def _sweep(spec: Spec) -> Built:
    """The gradient-free pass over all T steps, in the parts and on the path of training."""
    import tensorflow as tf

    from trainer.bptt import truncation
    from trainer.models.long_sequence import LongSequenceModel

    task = make_task(spec)
    model, inputs = task.build_model(), make_inputs(spec)
    assert isinstance(model, LongSequenceModel), 'what is swept is an LSTM'

    @task.on_path
    def end(rows: dict[str, tf.Tensor]) -> tf.Tensor:
        """The sum of the last hidden states of some rows."""
        starts = tf.fill([rows['inputs'].shape[0], 1], spec.length)
        state = truncation.sweep(
            model.sequences(rows['inputs'], None),
            model.main_weights(),
            starts,
            until=spec.length,
        )
        return tf.reduce_sum(state.h)

    @tf.function(autograph=False)
    def sweep() -> tf.Tensor:
        """The sum over all rows."""
        return tf.add_n([end(rows) for rows in task.parts(inputs)])

    return Built(lambda: float(sweep()), _settings(task, model.trainable_variables))
