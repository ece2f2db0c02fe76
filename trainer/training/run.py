"""A run from end to end: strategy, phases, checkpoints, evaluation.

The command line (`trainer.main`) uses it, and so can any Python program.
"""

import contextlib
import json
import math
import os
import time
import zlib
from collections.abc import Iterator
from typing import Any

import gin
import tensorflow as tf

from pipelines import lock
from pipelines.format import records
from pipelines.format.errors import LonghaulError
from trainer.config import Config
from trainer.data import checks, record_files
from trainer.data.replicas import local_parts
from trainer.devices import workers
from trainer.devices.execution import SCAN, Execution
from trainer.models.anchor_losses import modules_of
from trainer.monitoring.measures import curve_json, probe
from trainer.monitoring.progress import Reporter
from trainer.monitoring.tensorboard import Logs
from trainer.run_dir import predictions
from trainer.run_dir.files import write_atomically
from trainer.run_dir.folder import GIN_FILE, ModelDir
from trainer.run_dir.same_run import check_same_run
from trainer.run_dir.validations import ValidationLog
from trainer.training import dry_run, result, timing
from trainer.training.lengths import in_steps
from trainer.training.loop import SplitEvaluator, quiet_orbit
from trainer.training.outlets import Outlets
from trainer.training.phase import PhaseTraining, is_over
from trainer.training.phases import phases
from trainer.training.splits import Splits
from trainer.training.state import TrainedState
from trainer.training.stopping import StopRequest
from trainer.training.task import InputRequest
from trainer.training.warm_start import warm_start


class Run:
    """One run in one model_dir."""

    def __init__(
        self,
        config: Config,
        model_dir: str,
        *,
        strategy: tf.distribute.Strategy,
        execution: Execution = SCAN,
        stop: StopRequest | None = None,
        log_format: str = 'auto',
        check_shards: bool = False,
        began: float | None = None,
    ) -> None:
        """Reads the records' description and builds the model.

        Args:
          config: of the run.
          model_dir: its folder.
          strategy: the replicas to train on.
          execution: how a replica computes, from `execution.prepare`.
          stop: whether to stop early; None: never.
          log_format: see `trainer.monitoring.progress.Reporter`.
          check_shards: whether all shards are compared with their checksums first.
          began: time.monotonic() when the process began; None: now.

        Raises:
          LonghaulError: if records and configuration do not fit each other.
        """
        if not config.data.records:
            raise LonghaulError(
                "DataConfig.records='': no records are named; add --records=DIR, the --output of "
                'python -m pipelines.main'
            )
        self.dir, self._strategy = ModelDir(model_dir), strategy
        self._reporter = Reporter(log_format, quiet=not workers.is_chief(strategy))
        began = time.monotonic() if began is None else began
        # Read now, because the checkout may have other files by the end of the run.
        self._commit, self._said_how = result.commit(), False
        # Each worker has a folder of its own, see `worker_folder`.
        self.dir.heal(say=self._reporter.message)
        info = records.read_info(config.data.records)
        say = self._reporter.message
        record_files.check_files(config.data.records, info, all_shards=check_shards, say=say)
        steps_per_epoch = info.counts['splits'].get('train', 0) // config.data.batch_size
        self.config = config = in_steps(config, steps_per_epoch=steps_per_epoch)
        checks.check(config, info)
        self._check_replicas()
        self._check_workers(zlib.crc32(info.to_json().encode()))
        dry_run.check_model(config, info, here=len(local_parts(strategy)))
        self._stop = stop or StopRequest()
        self._outlets = Outlets(self.dir, self._reporter, Logs(self._reporter.message))
        self._splits = Splits(config, info, strategy, execution)
        with strategy.scope():
            self._state = TrainedState.make(config, self._splits.task())
        self._watch = result.Stopwatch(self._state.seconds, began=began)

    def _check_replicas(self) -> None:
        replicas, data = self._strategy.num_replicas_in_sync, self.config.data
        for name, parts in (('batch_size', data.accumulation_steps), ('eval_batch_size', 1)):
            size, needed = getattr(data, name), replicas * parts
            if size % needed:
                times = f', {parts} accumulation steps each' if parts > 1 else ''
                raise LonghaulError(
                    f'DataConfig.{name}={size}: not a multiple of the {replicas} replicas{times}; '
                    f'{math.ceil(size / needed) * needed} is the next that is'
                )

    def _check_workers(self, records_hash: int) -> None:
        """Compares what the workers were started with, before any waits for another in vain."""
        facts = {
            'configuration': result.config_hash(self.config),
            'records.json': records_hash,
            'latest checkpoint': self.dir.latest_step(),
            'validated steps': ValidationLog(self.dir).steps,
        }
        workers.agree(self._strategy, facts)

    def _say_how(self) -> None:
        """Reports once how this run computes; call it after all checks."""
        if not self._said_how:
            self._reporter.message(str(self._splits.execution))
        self._said_how = True

    def describe(self) -> str:
        """What `train` would do, for `--dry_run`."""
        return dry_run.describe(
            self.config,
            self._splits.info,
            model_dir=self.dir.path,
            variables=list(self._state.model.trainable_variables),
            replicas=self._strategy.num_replicas_in_sync,
            steps_per_epoch=self._splits.steps_per_epoch(),
        )

    def describe_time(self) -> str:
        """How long `train` and `finish` take, from a few steps; the weights are of no use then."""
        with self._strategy.scope(), quiet_orbit():
            return timing.describe_time(self._splits, self._state)

    def train(
        self,
        *,
        operative_config: str,
        validate: bool,
        gin_files: list[str] | None = None,
        gin_params: list[str] | None = None,
        allow_changes: bool = False,
    ) -> None:
        """Trains the rest of the run, phase by phase; a finished run is left alone.

        Args:
          operative_config: gin's operative configuration, saved beside the checkpoints.
          validate: whether to evaluate the validation split as `RunConfig` says.
          gin_files: of the experiment, as the user named them; None if the run goes on with the
            configuration in its folder.
          gin_params: bindings that were added to the files.
          allow_changes: whether a run may go on with another configuration, or other records,
            than it began with.

        Raises:
          LonghaulError: if the run cannot be trained, or not in this model_dir.
          Stopped: if a stop was requested; the steps taken by then are saved.
        """
        self.check_memory()
        with self._alone():
            self.dir.mend()
            self._prepare(allow_changes=allow_changes)
            self._remember(operative_config, gin_files, gin_params)
            self._train_phases(validate=validate)

    def check_memory(self) -> None:
        """Refuses a training step that cannot fit into memory.

        Raises:
          LonghaulError: with the value to lower.
        """
        replicas, here = self._strategy.num_replicas_in_sync, len(local_parts(self._strategy))
        dry_run.check_memory(self.config, self._splits.info, replicas=replicas, here=here)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Locks the model_dir against other runs; the chief holds the lock for all workers."""
        self.dir.create()
        with (
            lock.held(
                self.dir.path,
                flag='--model_dir',
                doing='trains there',
                say=self._reporter.message,
            )
            if workers.is_chief(self._strategy)
            else contextlib.nullcontext()
        ):
            yield

    def _remember(
        self, operative_config: str, gin_files: list[str] | None, gin_params: list[str] | None
    ) -> None:
        if not gin_files:
            gin_files, gin_params = self.dir.command()
        self.dir.remember_command(gin_files, gin_params or [], self._commit)
        write_atomically(self.dir / GIN_FILE, operative_config)
        text, step = gin.markdown(operative_config), self.dir.latest_step()
        self._outlets.logs.write_text(self.dir / 'train', 'gin', text, step=step)

    def _train_phases(self, *, validate: bool) -> None:
        validations = ValidationLog(self.dir) if validate else None
        for phase in phases(self.config.run):
            part = PhaseTraining(
                phase,
                splits=self._splits,
                state=self._state,
                outlets=self._outlets,
                stop=self._stop,
                watch=self._watch,
                validations=validations,
            )
            if not part.is_done(step := self.dir.latest_step()):
                with self._strategy.scope():
                    controller = part.controller(step)
                    self._say_how()
                    part.train(controller)

    def _prepare(self, *, allow_changes: bool) -> None:
        """Checks that the run can train in this model_dir, and reads the weights to start from."""
        info, model = self._splits.info, self._state.model
        source = self.config.run.warm_start
        if source and self.dir.latest_step() == 0:
            warm_start(model, source, info.spec)
        data = (info.spec, info.class_names, record_files.identity(info))
        # All checks come first: a start that is refused leaves the folder as it was.
        self.dir.check_data(*data, change=allow_changes)
        check_same_run(self.dir, self.config, change=allow_changes)
        self.dir.remember_data(*data, losses=modules_of(self.config.objective))
        latest = self.dir.latest_checkpoint(self.dir.checkpoints)
        if latest is not None:
            with self._strategy.scope():
                self.dir.read_weights(latest, model=model)

    def finish(self) -> dict[str, Any]:
        """Evaluates validation and test, writes the run's numbers as result.json, returns them."""
        counts = self._splits.info.counts['splits']
        splits = ('validation', 'test') if self.config.run.evaluate_test else ('validation',)
        evaluations = {split: self.evaluate(split) for split in splits if counts.get(split)}
        gin_files, gin_params = self.dir.command()
        validations = ValidationLog(self.dir)
        line = result.make_result(
            self.config,
            gin_files=gin_files,
            gin_params=gin_params,
            commits=self.dir.commits(),
            steps_per_epoch=self._splits.steps_per_epoch(),
            global_step=self.dir.latest_step(),
            over=is_over(self.config.run, validations),
            seconds=self._watch.total(self.dir.latest_seconds()),
            peak_memory=result.peak_memory_mb(self.dir / result.FILE_NAME),
            evaluations=evaluations,
            measured=validations.last,
        )
        write_atomically(self.dir / result.FILE_NAME, json.dumps(line) + '\n')
        return line

    def _check_evaluated(self) -> None:
        """Refuses to evaluate on records of another kind; says if they are only others."""
        info = self._splits.info
        checks.check_same_data(*self.dir.data(), info.spec, info.class_names)
        if record_files.other_splits(self.dir.trained_records(), record_files.identity(info)):
            self._reporter.message(
                f'{self.config.data.records}: these are other records than the run was trained on'
            )

    def evaluate(self, split_name: str) -> dict[str, Any]:
        """Evaluates a split with the best weights (the latest while there are no best ones).

        Writes evaluation-SPLIT.json and predictions-SPLIT.jsonl (by id) into the model_dir.

        Returns:
          The content of evaluation-SPLIT.json.
        """
        self._check_evaluated()
        splits, model, global_step = self._splits, self._state.model, self._state.global_step
        path = self.dir.evaluated_checkpoint()
        with self._strategy.scope():
            self.dir.read_evaluated(path, model=model, global_step=global_step)
            workers.agree(self._strategy, {'evaluated checkpoint': global_step.numpy()})
            split = splits.split(split_name)
            self._say_how()
            self._reporter.begin(f'evaluating {split_name}: {len(split.reader):,} examples')
            evaluator = SplitEvaluator(
                splits.task(), model=model, dataset=splits.batches(InputRequest(split))
            )
            logs = evaluator.evaluate(tf.constant(-1))
            found = predictions.gather(self._strategy, evaluator.predictions)
        curve = curve_json(probe(split, evaluator.states))
        logs = {
            'split': split_name,
            'global_step': int(global_step.numpy()),
            'checkpoint': os.path.relpath(path, self.dir.path),
            **logs,
            'memory_curve': curve,
        }
        if workers.is_chief(self._strategy):
            lines = predictions.lines(found, split.ids(found['row']), splits.info.class_names)
            write_atomically(self.dir / f'predictions-{split_name}.jsonl', lines)
        write_atomically(self.dir / f'evaluation-{split_name}.json', json.dumps(logs) + '\n')
        self._reporter.close()
        return logs

    def say_ending(self, line: dict[str, Any]) -> None:
        """Says what a run has come to, and what to do next; `line` is from `finish`."""
        for text in result.ending(line, self._splits.info, self.dir.path):
            self._reporter.message(text)
