"""Carries out the commands of `trainer.main`; a refusal is one line and exit code 2."""

import dataclasses
import json
import shlex
from collections.abc import Iterator

import gin
import tensorflow as tf

from pipelines.format import errors, library_logs
from pipelines.format.errors import LonghaulError
from trainer import bindings
from trainer.config import Config
from trainer.devices import cluster, execution, strategies, workers
from trainer.devices.cluster import ClusterFlags
from trainer.monitoring import progress
from trainer.run_dir import worker_folder
from trainer.run_dir.folder import GIN_FILE, ModelDir
from trainer.run_dir.operative import check_values
from trainer.serving import export
from trainer.training import report, run, stopping


@dataclasses.dataclass(frozen=True)
class Command:
    """The flags of one call; empty `gin_files` stands for the operative.gin of the model_dir.

    `measure`: whether a dry run takes a few steps and says how long the run takes.
    `began`: time.monotonic() when the process began. `report`: whether a run that ends writes its
    report.html, if it has measured anything to show (`RunConfig.diagnostics`).
    """

    mode: str
    model_dir: str
    gin_files: list[str]
    gin_params: list[str]
    records: str | None = None
    split: str = 'test'
    cluster: ClusterFlags = ClusterFlags()
    dry_run: bool = False
    measure: bool = False
    allow_changes: bool = False
    check_shards: bool = False
    began: float | None = None
    log_format: str = 'auto'
    tflite: bool = True
    onnx: bool = False
    report: bool = False


def execute(command: Command) -> int:
    """Carries out a command.

    Returns:
      The exit code: 0, 2 for a refusal, 143 or 130 when stopped by SIGTERM or Ctrl-C.
    """
    library_logs.errors_alone()
    try:
        settings = bindings.load(
            gin_files=_gin_files(command),
            gin_params=command.gin_params,
            records=command.records,
        )
        with stopping.listening() as stop:
            _carry_out(command, settings, stop)
    except LonghaulError as error:
        return _refuse(command, error)
    except tf.errors.OpError as error:
        ours = errors.wrapped(error)
        if ours is None:
            raise
        return _refuse(command, ours)
    except stopping.Stopped as stopped:
        where = 'from the last checkpoint, if there is one'
        if stopped.saved is not None:
            where = f'from step {stopped.saved}, which is saved'
        text = f'stopped; the same command goes on {where}'
        progress.Reporter(command.log_format).message(text)
        return 128 + stopped.number
    return 0


def _refuse(command: Command, error: LonghaulError) -> int:
    progress.Reporter(command.log_format).message(f'error: {error}')
    return 2


def _gin_files(command: Command) -> list[str]:
    if command.gin_files:
        return command.gin_files
    own = ModelDir(command.model_dir) / GIN_FILE
    if not tf.io.gfile.exists(own):
        raise LonghaulError(
            f'--gin_file is missing, and {own} does not exist: name an experiment, such as '
            '--gin_file=gin/digits/r_lstm.gin'
        )
    check_values(own)
    return [own]


def _carry_out(command: Command, settings: Config, stop: stopping.StopRequest) -> None:
    if command.measure and not command.dry_run:
        raise LonghaulError('--measure: belongs to --dry_run; add it, or leave --measure out')
    if command.mode == 'export':
        _refuse_workers(command)
        say = progress.Reporter(command.log_format).message
        path = export.export(
            settings, command.model_dir, tflite=command.tflite, onnx=command.onnx, say=say
        )
        print(f'exported to {path}', flush=True)
        say(f'next: python -m tools.predict {shlex.quote(path)} FILES')
        return
    how = execution.prepare(settings, tpu=command.cluster.strategy == 'tpu')
    strategy = strategies.make_strategy(command.cluster)
    execution.start_compiler(how)
    create = command.mode != 'eval' and not command.dry_run
    with worker_folder.joined(strategy, command.model_dir, create=create) as folder:
        names = ('mode', 'split', 'dry_run')
        workers.agree(strategy, {f'--{name}': getattr(command, name) for name in names})
        this = run.Run(
            settings,
            folder,
            strategy=strategy,
            execution=how,
            stop=stop,
            log_format=command.log_format,
            check_shards=command.check_shards,
            began=command.began,
        )
        for line in _run(command, this):
            if workers.is_chief(strategy):
                print(line, flush=True)
        if _reports(command, settings) and workers.is_chief(strategy):
            reporter = progress.Reporter(command.log_format)
            reporter.begin('drawing the report')
            report.write_report(folder, say=reporter.message)
            reporter.close()


def _reports(command: Command, settings: Config) -> bool:
    ends = command.mode == 'train_and_eval' and not command.dry_run
    return command.report and ends and settings.run.diagnostics


def _refuse_workers(command: Command) -> None:
    found = cluster.find_workers(command.cluster)
    if found is not None and len(found.hosts) > 1:
        raise LonghaulError(
            f'--mode=export with {len(found.hosts)} workers: one process is enough; leave '
            '--distribution_strategy out'
        )


def _run(command: Command, this: run.Run) -> Iterator[str]:
    """Carries out the command's mode; yields the lines to print."""
    if command.dry_run:
        yield this.describe()
        this.check_memory()
        if command.measure:
            yield this.describe_time()
        return
    if command.mode in ('train', 'train_and_eval'):
        validate = command.mode == 'train_and_eval'
        this.train(
            operative_config=gin.operative_config_str(),
            validate=validate,
            gin_files=command.gin_files,
            gin_params=command.gin_params,
            allow_changes=command.allow_changes,
        )
    if command.mode == 'train_and_eval':
        line = this.finish()
        yield json.dumps(line)
        this.say_ending(line)
    if command.mode == 'eval':
        logs = this.evaluate(command.split)
        if command.log_format != 'json':
            yield f'{command.split}  {progress.summarize(logs)}'
        yield json.dumps(logs)
