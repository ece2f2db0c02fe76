"""Tiny models on small records, with a batch of theirs."""

import small_data
import tensorflow as tf

from pipelines.format import records
from trainer import bindings
from trainer.config import Config
from trainer.data.batches import SplitInput
from trainer.models.batch import Batch
from trainer.models.protocol import Model
from trainer.training.task import LonghaulTask

# Both losses as readouts, small, on top of TINY_RUN.
READOUTS = [
    'ModelConfig.readout_units=6',
    "ObjectiveConfig.reconstruction_form='readout'",
    "ObjectiveConfig.prediction_form='readout'",
    'ObjectiveConfig.prediction_weight=1.0',
    'ObjectiveConfig.relative_losses=True',
    'ObjectiveConfig.anchors_per_window=3',
    'ObjectiveConfig.readout_distances=5',
]


def config_of(folder: str, *params: str) -> Config:
    return bindings.load(gin_files=[], gin_params=[*small_data.TINY_RUN, *params], records=folder)


def task_of(config: Config) -> LonghaulTask:
    return LonghaulTask(config, records.read_info(config.data.records))


def small(folder: str, *params: str) -> tuple[Config, Model, Batch]:
    """Config, model and a batch of 8 validation rows."""
    config = config_of(folder, *params)
    task = task_of(config)
    split = SplitInput(folder, 'validation', task.info, config.objective, seed=0)
    inputs = {k: tf.constant(v) for k, v in split.sample(8).items()}
    return config, task.build_model(), task.to_batch(inputs)


def take_step(
    task: LonghaulTask, inputs: dict, model: Model, optimizer: tf.Module, step: tf.Tensor
) -> tf.Tensor:
    """What `PhaseTrainer` does with a good batch on one device; returns the loss."""
    computed = task.compute(inputs, model, step)
    task.apply(computed, model, optimizer)
    return computed.loss
