"""Trains, evaluates, exports: python -m trainer.main --gin_file=FILE --model_dir=RUN."""

import logging
import os
import sys
import time

from absl import app, flags
from absl import logging as absl_logging

_GIN_FILE = flags.DEFINE_multi_string(
    'gin_file', None, 'Experiment file; default: that of the run in --model_dir.'
)
_GIN_PARAM = flags.DEFINE_multi_string(
    'gin_param', None, 'One more binding, such as RunConfig.train_steps=1000. Repeatable.'
)
_MODEL_DIR = flags.DEFINE_string('model_dir', None, 'Folder of the run.', required=True)
_RECORDS = flags.DEFINE_string(
    'records', None, 'Folder of records; short for --gin_param="DataConfig.records=..."'
)
_MODE = flags.DEFINE_enum(
    'mode', 'train_and_eval', ['train', 'eval', 'train_and_eval', 'export'], 'What to do.'
)
_SPLIT = flags.DEFINE_string('split', 'test', 'Split to evaluate in --mode=eval.')
_STRATEGY = flags.DEFINE_string(
    'distribution_strategy',
    None,
    'one_device, mirrored, multi_worker_mirrored or tpu; default: all GPUs of this machine, or its '
    'CPU.',
)
_TPU = flags.DEFINE_string('tpu', None, "Name or address of the TPU; 'local' on a TPU VM.")
_WORKER_HOSTS = flags.DEFINE_string(
    'worker_hosts', None, 'host:port,host:port of all workers, the same on each of them.'
)
_TASK_INDEX = flags.DEFINE_integer(
    'task_index', None, 'Which of --worker_hosts this process is, from 0.'
)
_ALLOW_CHANGES = flags.DEFINE_bool(
    'allow_changes',
    False,
    'Let a run go on with another configuration, or other records, than it began with.',
)
_CHECK_SHARDS = flags.DEFINE_bool(
    'check_shards',
    False,
    'Read all shards first, and refuse those that differ from the checksums in records.json. '
    'Without it, those of small records (100 MB) are read, and a difference is said.',
)
_LOG_FORMAT = flags.DEFINE_enum(
    'log_format',
    'auto',
    ['auto', 'text', 'json'],
    'auto: a line that is written over on a terminal, one every half minute elsewhere; text: one '
    'line per loop; json: one object per line.',
)
_TFLITE = flags.DEFINE_bool(
    'tflite', True, 'In --mode=export: also write a TFLite model, if it gives the same answers.'
)
_ONNX = flags.DEFINE_bool(
    'onnx',
    False,
    "In --mode=export: also write an ONNX model; needs pip install '.[onnx]'.",
)
_REPORT = flags.DEFINE_bool(
    'report',
    True,
    'At the end of --mode=train_and_eval: write report.html into the run, a page about it; a run '
    'with RunConfig.diagnostics=False has none.',
)
_DRY_RUN = flags.DEFINE_bool(
    'dry_run', False, 'Print what would be trained and written, and the memory needed; then stop.'
)
_MEASURE = flags.DEFINE_bool(
    'measure', False, 'With --dry_run: take a few steps, and print how long the run will take.'
)


def main(argv: list[str]) -> None:
    """Hands the flags over."""
    began = time.monotonic()
    absl_logging.set_verbosity(absl_logging.WARNING)
    # Documents come in a few shapes, each traced once: TensorFlow would warn of that.
    logging.getLogger('tensorflow').setLevel(logging.ERROR)
    # TensorFlow reads this when it is imported. The imports stand here since --help needs none.
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    from trainer import commands
    from trainer.devices import cluster

    if len(argv) > 1:
        raise app.UsageError(f'unexpected arguments: {argv[1:]}')
    sys.exit(
        commands.execute(
            commands.Command(
                mode=_MODE.value,
                model_dir=_MODEL_DIR.value,
                gin_files=_GIN_FILE.value or [],
                gin_params=_GIN_PARAM.value or [],
                records=_RECORDS.value,
                split=_SPLIT.value,
                cluster=cluster.ClusterFlags(
                    strategy=_STRATEGY.value,
                    tpu=_TPU.value,
                    worker_hosts=_WORKER_HOSTS.value,
                    task_index=_TASK_INDEX.value,
                ),
                dry_run=_DRY_RUN.value,
                measure=_MEASURE.value,
                allow_changes=_ALLOW_CHANGES.value,
                check_shards=_CHECK_SHARDS.value,
                began=began,
                log_format=_LOG_FORMAT.value,
                tflite=_TFLITE.value,
                onnx=_ONNX.value,
                report=_REPORT.value,
            )
        )
    )


if __name__ == '__main__':
    app.run(main)
