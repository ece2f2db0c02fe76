"""The devices of a run: TensorFlow's threads on a CPU, and a strategy of Model Garden's by name."""

import os

import tensorflow as tf
from absl import logging
from official.common import distribute_utils

from pipelines.format.errors import LonghaulError


def configure_threads() -> int:
    """Sets TensorFlow's threads for recurrent work on a CPU; call before TensorFlow computes.

    Returns:
      The number of independent parts to split a replica's batch into.
    """
    if tf.config.list_physical_devices('GPU'):
        return 1
    cores = len(os.sched_getaffinity(0))
    try:
        # The products of a step are too small for two cores; two halves of the batch are not.
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(cores)
    except RuntimeError:
        logging.warning('TensorFlow has computed in this process already: its threads stay.')
    logging.info('CPU: one thread per operation, the batch in %d independent parts.', cores)
    return cores


def make_strategy(name: str | None) -> tf.distribute.Strategy:
    """A strategy of Model Garden's by name; None: one device, or all GPUs there are."""
    gpus = len(tf.config.list_physical_devices('GPU'))
    name = name or ('mirrored' if gpus > 1 else 'one_device')
    try:
        return distribute_utils.get_distribution_strategy(name, num_gpus=gpus)
    except ValueError as error:
        raise LonghaulError(
            f'--distribution_strategy={name}: {error}; one_device and mirrored are known'
        ) from error
