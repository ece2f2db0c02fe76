"""What a queue's entry comes to on these records: its configuration, its steps, its command."""

import dataclasses
import json
import shlex
import sys
from pathlib import Path

from pipelines.format.errors import LonghaulError
from tools.reproduce.budget import Budget, Rates, Steps, scale
from tools.reproduce.queue import Entry
from trainer import bindings
from trainer.training.lengths import in_steps

_INTERVAL = 'RunConfig.eval_interval'


@dataclasses.dataclass(frozen=True)
class Plan:
    """An entry, with the steps that it asks for and the length of an epoch.

    `in_epochs`: whether its gin file asks for epochs; `counts_validations`: whether it says how
    many validations there are, and not their interval.
    """

    entry: Entry
    records: Path
    asked: Steps
    steps_per_epoch: int
    seed: int
    in_epochs: bool = False
    counts_validations: bool = False

    def steps(self, rates: Rates | None) -> Steps:
        """The steps that the budget leaves; `rates` are needed for a budget in minutes."""
        return scale(
            self.asked, self.entry.budget, steps_per_epoch=self.steps_per_epoch, rates=rates
        )

    @property
    def in_minutes(self) -> bool:
        """Whether the budget is in minutes, so that the steps depend on the machine's speed."""
        return self.entry.budget is not None and self.entry.budget.unit == 'minutes'

    def params(self, steps: Steps) -> list[str]:
        """The gin parameters of the run: those of the queue, then what sets its length."""
        params = [*self.entry.params]
        if steps != self.asked:
            params += self.of_length(steps)
        if not (self.counts_validations or any(p.startswith(_INTERVAL) for p in params)):
            params.append(f'{_INTERVAL}={self.steps_per_epoch}')
        if self.entry.validation_only:
            params.append('RunConfig.evaluate_test=False')
        return params

    def of_length(self, steps: Steps) -> list[str]:
        """The gin parameters that set the steps of both phases."""
        found = [
            f'RunConfig.pretrain_steps={steps.pretrain}',
            f'RunConfig.train_steps={steps.train}',
        ]
        return found + ['RunConfig.train_epochs=None'] * self.in_epochs

    def command(self, model_dir: Path, params: list[str], mode: str) -> list[str]:
        """The command that trains the run, as a user types it."""
        return [
            sys.executable,
            '-m',
            'trainer.main',
            f'--gin_file={self.entry.gin_file}',
            f'--mode={mode}',
            f'--records={self.records}',
            f'--model_dir={model_dir}',
            # A queue's runs share a few cores, and a page takes some seconds of one.
            '--noreport',
            *(f'--gin_param={param}' for param in params),
        ]


def make_plan(entry: Entry, records_folder: Path, budget: Budget | None) -> Plan:
    """Reads an entry's gin file and its records.

    Args:
      entry: of a queue.
      records_folder: where folders of records lie, by name.
      budget: takes the place of the entry's own one; None: it keeps its own.

    Raises:
      LonghaulError: if one of them is missing or wrong.
    """
    if budget is not None:
        entry = dataclasses.replace(entry, budget=budget)
    records = records_folder / entry.records
    said = ' '.join([entry.gin_file, *map(shlex.quote, entry.params)])
    try:
        config = bindings.load(
            gin_files=[entry.gin_file], gin_params=list(entry.params), records=str(records)
        )
        examples = _training_examples(records)
    except LonghaulError as error:
        raise LonghaulError(f'{said}: {error}') from error
    steps_per_epoch = max(1, examples // config.data.batch_size)
    asked = in_steps(config, steps_per_epoch=steps_per_epoch).run
    return Plan(
        entry=entry,
        records=records,
        asked=Steps(asked.pretrain_steps, asked.total_steps - asked.pretrain_steps),
        steps_per_epoch=steps_per_epoch,
        seed=config.run.seed,
        in_epochs=config.run.train_epochs is not None,
        counts_validations=config.run.validations is not None,
    )


def _training_examples(records: Path) -> int:
    # Not by pipelines.format.records, which imports TensorFlow: this process lives for hours.
    try:
        content = json.loads((records / 'records.json').read_text())
        return content['counts']['splits']['train']
    except (OSError, ValueError, KeyError) as error:
        raise LonghaulError(
            f'{records}: holds no finished records with a train split; write them with python -m '
            f'pipelines.main --output={records}'
        ) from error
