"""A run from end to end: strategy, phases, orbit's Controller, checkpoints, evaluation.

Serves the command line (`trainer.main`) and whoever trains from Python alike.
"""

import json
import math
import os
import sys
import zlib
from typing import Any

import gin
import orbit
import tensorflow as tf

from pipelines.format import records
from pipelines.format.errors import LonghaulError
from pipelines.format.records import RecordsInfo
from trainer import checks, dry_run, predictions, results, workers
from trainer.architectures import Model
from trainer.best import KeepBest
from trainer.config import Config
from trainer.execution import SCAN, Execution
from trainer.input import Rows, SplitInput, first_batch
from trainer.loop import PhaseTrainer, SplitEvaluator, distribute, quiet_orbit
from trainer.model_dir import GIN_FILE, ModelDir, write_atomically
from trainer.optimizers import make_optimizer
from trainer.phases import Phase, phases
from trainer.pictures import ReconstructionPictures
from trainer.progress import ProgressLine, summarize
from trainer.replicas import local_parts
from trainer.task import InputRequest, LonghaulTask
from trainer.warm_start import KeepPretrained, warm_start

_PICTURES = 4


class Run:
    """One run in one model_dir."""

    def __init__(
        self,
        config: Config,
        model_dir: str,
        *,
        strategy: tf.distribute.Strategy,
        execution: Execution = SCAN,
    ) -> None:
        """Reads the records' description and builds the model.

        Args:
          config: of the run.
          model_dir: its folder.
          strategy: the replicas to train on.
          execution: how a replica computes, from `execution.prepare`.

        Raises:
          LonghaulError: if records and configuration do not fit each other.
        """
        if not config.data.records:
            raise LonghaulError(
                "DataConfig.records='': no records are named; add --records=DIR, the --output of "
                'python -m pipelines.main'
            )
        self.config, self.dir, self._strategy = config, ModelDir(model_dir), strategy
        self._execution, self._said_how = execution, False
        self._info: RecordsInfo = records.read_info(config.data.records)
        checks.check(config, self._info)
        self._check_replicas()
        self._check_workers()
        with strategy.scope():
            self._model: Model = self._task().build_model()
            self._global_step = tf.Variable(
                0,
                dtype=tf.int64,
                name='global_step',
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
            self._seconds = tf.Variable(
                0.0,
                dtype=tf.float64,
                name='seconds',
                trainable=False,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )

    def _check_replicas(self) -> None:
        replicas = self._strategy.num_replicas_in_sync
        for name in ('batch_size', 'eval_batch_size'):
            size = getattr(self.config.data, name)
            if size % replicas:
                raise LonghaulError(
                    f'DataConfig.{name}={size}: not a multiple of the {replicas} replicas; '
                    f'{math.ceil(size / replicas) * replicas} is the next that is'
                )

    def _check_workers(self) -> None:
        """Before any of them waits for another in vain."""
        facts = {
            'configuration': results.config_hash(self.config),
            'records.json': zlib.crc32(self._info.to_json().encode()),
            'latest checkpoint': self.dir.latest_step(),
        }
        workers.agree(self._strategy, facts)

    def _say(self, line: str) -> None:
        if workers.is_chief(self._strategy):
            print(line, flush=True, file=sys.stderr)

    def _say_how(self) -> None:
        """Says once how this run computes, when nothing is left that could refuse it."""
        if not self._said_how:
            self._say(str(self._execution))
        self._said_how = True

    def _task(self, *, supervised: bool = True) -> LonghaulTask:
        return LonghaulTask(
            self.config, self._info, supervised=supervised, execution=self._execution
        )

    def _split(self, name: str) -> SplitInput:
        counts = self._info.counts['splits']
        if not counts.get(name):
            have = ', '.join(f'{k} ({v})' for k, v in counts.items() if v) or 'none'
            raise LonghaulError(
                f'split {name!r}: {self.config.data.records} has no example of it; name one that '
                f'has: {have}'
            )
        return SplitInput(
            self.config.data.records,
            name,
            self._info,
            self.config.objective,
            seed=self.config.run.seed,
        )

    def describe(self) -> str:
        """What `train` would do, for `--dry_run`."""
        return dry_run.describe(
            self.config,
            self._info,
            model_dir=self.dir.path,
            variables=list(self._model.trainable_variables),
            replicas=self._strategy.num_replicas_in_sync,
            steps_per_epoch=self._steps_per_epoch(),
        )

    def _steps_per_epoch(self) -> int:
        return self._split('train').order(self.config.data.batch_size).steps_per_epoch

    def train(
        self,
        *,
        operative_config: str,
        validate: bool,
        gin_files: list[str] | None = None,
        gin_params: list[str] | None = None,
    ) -> None:
        """Trains what is left to train, phase by phase; a finished run is left alone.

        Args:
          operative_config: gin's operative configuration, saved beside the checkpoints.
          validate: whether to evaluate the validation split every `eval_interval` steps.
          gin_files: of the experiment, as the user named them; None when it goes on from what it
            saved itself.
          gin_params: bindings beside them.
        """
        replicas = self._strategy.num_replicas_in_sync
        here = len(local_parts(self._strategy))
        dry_run.check_memory(self.config, self._info, replicas=replicas, here=here)
        source = self.config.run.warm_start
        if source and self.dir.latest_step() == 0:
            warm_start(self._model, source, self._info.spec)
        self.dir.create()
        if gin_files:
            self.dir.remember_command(gin_files, gin_params or [])
        self.dir.remember_data(self._info.spec, self._info.class_names)
        latest = tf.train.latest_checkpoint(self.dir.checkpoints)
        if latest is not None:
            with self._strategy.scope():
                self.dir.read_weights(latest, model=self._model)
        write_atomically(self.dir / GIN_FILE, operative_config)
        self._write_summary('gin', gin.markdown(operative_config))
        split = self._split('train')
        for phase in phases(self.config.run):
            first_step = max(self.dir.latest_step(), phase.first_step)
            if first_step < phase.last_step:
                with self._strategy.scope():
                    self._train_phase(phase, split, first_step=first_step, validate=validate)

    def _write_summary(self, name: str, text: str) -> None:
        writer = tf.summary.create_file_writer(self.dir / 'train')
        with writer.as_default(step=self.dir.latest_step()):
            tf.summary.text(name, text)
        writer.close()

    def finish(self) -> dict[str, Any]:
        """Evaluates validation and test, writes the run's numbers as result.json, returns them."""
        counts = self._info.counts['splits']
        splits = [split for split in ('validation', 'test') if counts.get(split)]
        evaluations = {split: self.evaluate(split) for split in splits}
        gin_files, gin_params = self.dir.command()
        result = results.make_result(
            self.config,
            gin_files=gin_files,
            gin_params=gin_params,
            steps_per_epoch=self._steps_per_epoch(),
            global_step=self.dir.latest_step(),
            seconds=self.dir.latest_seconds(),
            evaluations=evaluations,
        )
        write_atomically(self.dir / results.FILE_NAME, json.dumps(result) + '\n')
        return result

    def _train_phase(
        self, phase: Phase, split: SplitInput, *, first_step: int, validate: bool
    ) -> None:
        config, task = self.config.run, self._task(supervised=phase.supervised)
        optimizer = make_optimizer(
            self.config.optimizer, phase_steps=phase.last_step - phase.first_step
        )
        optimizer.build(self._model.trainable_variables)
        order = split.order(self.config.data.batch_size)
        trainer = PhaseTrainer(
            task,
            model=self._model,
            optimizer=optimizer,
            global_step=self._global_step,
            dataset=distribute(self._strategy, task, InputRequest(split, order, first_step)),
        )
        # A phase's optimizer has a name of its own: the next phase starts with a fresh one.
        checkpoint = tf.train.Checkpoint(
            model=self._model,
            global_step=self._global_step,
            seconds=self._seconds,
            **{f'optimizer_{phase.name}': optimizer},
        )
        manager = tf.train.CheckpointManager(
            checkpoint,
            directory=self.dir.checkpoints,
            max_to_keep=config.keep_checkpoints,
            step_counter=self._global_step,
            checkpoint_interval=config.checkpoint_interval,
        )
        validate = validate and phase.supervised
        self._say_how()
        with quiet_orbit():
            controller = orbit.Controller(
                strategy=self._strategy,
                trainer=trainer,
                evaluator=self._validator(task) if validate else None,
                global_step=self._global_step,
                steps_per_loop=min(config.log_interval, phase.last_step - first_step),
                checkpoint_manager=manager,
                summary_dir=self.dir / 'train',
                eval_summary_dir=self.dir / 'validation',
                train_actions=self._train_actions(phase),
                eval_actions=self._eval_actions(task) if validate else None,
            )
            if validate:
                controller.train_and_evaluate(
                    phase.last_step, eval_steps=-1, eval_interval=config.eval_interval
                )
            else:
                controller.train(phase.last_step)

    def _train_actions(self, phase: Phase) -> list[orbit.Action]:
        place = {'global_step': self._global_step, 'last_step': phase.last_step}
        actions = [
            ProgressLine(phase=phase.name, write=self._say, **place),
            results.Stopwatch(self._seconds),
        ]
        if not phase.supervised:
            actions.append(KeepPretrained(self._model, self.dir, **place))
        return actions

    def _validator(self, task: LonghaulTask) -> SplitEvaluator:
        request = InputRequest(self._split('validation'))
        dataset = distribute(self._strategy, task, request)
        return SplitEvaluator(task, model=self._model, dataset=dataset)

    def _eval_actions(self, task: LonghaulTask) -> list[orbit.Action]:
        keep_best = KeepBest(self._model, self.dir, global_step=self._global_step)
        actions = [keep_best, lambda logs: self._say(f'validation  {summarize(logs)}')]
        if self._model.reconstruction is not None:
            split = self._split('validation')
            inputs = first_batch(split.evaluation(batch_size=_PICTURES, parts=[Rows(0, 1)]))
            actions.append(
                ReconstructionPictures(
                    model=self._model,
                    batch=task.to_batch({k: tf.constant(v) for k, v in inputs.items()}),
                    spec=self._info.spec,
                    auxiliary_steps=self.config.objective.auxiliary_steps,
                    writer=tf.summary.create_file_writer(self.dir / 'validation'),
                    global_step=self._global_step,
                )
            )
        return actions

    def evaluate(self, split_name: str) -> dict[str, Any]:
        """Evaluates a split with the best weights (the latest while there are no best ones).

        Writes evaluation-SPLIT.json and predictions-SPLIT.jsonl (by id) into the model_dir.

        Returns:
          What it wrote into the former.
        """
        self.dir.data()
        path = self.dir.evaluated_checkpoint()
        with self._strategy.scope():
            self.dir.read_weights(path, model=self._model, global_step=self._global_step)
            workers.agree(self._strategy, {'evaluated checkpoint': self._global_step.numpy()})
            task, split = self._task(), self._split(split_name)
            self._say_how()
            evaluator = SplitEvaluator(
                task,
                model=self._model,
                dataset=distribute(self._strategy, task, InputRequest(split)),
            )
            logs = evaluator.evaluate(tf.constant(-1))
            found = predictions.gather(self._strategy, evaluator.predictions)
        logs = {
            'split': split_name,
            'global_step': int(self._global_step.numpy()),
            'checkpoint': os.path.relpath(path, self.dir.path),
            **logs,
        }
        if workers.is_chief(self._strategy):
            lines = predictions.lines(found, split.ids(found['row']), self._info.class_names)
            write_atomically(self.dir / f'predictions-{split_name}.jsonl', lines)
        write_atomically(self.dir / f'evaluation-{split_name}.json', json.dumps(logs) + '\n')
        return logs
