"""Works off a queue: one trainer process after another, their lines appended as they come."""

import functools
import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError
from pipelines.lock import held
from tools import json_lines
from tools.reproduce import lines
from tools.reproduce.budget import Budget, Rates, Steps
from tools.reproduce.plan import Plan, make_plan
from tools.reproduce.queue import read_queue
from tools.terminal import last_line, say

_POLL_SECONDS = 2.0
# Steps of a probe and of its loops: long enough for loops after the one that traces.
_PROBE_STEPS, _PROBE_LOOP = 40, 10


class ProbeError(Exception):
    """The speed of a run could not be measured."""


class Stopped(BaseException):  # noqa: N818, nothing went wrong
    """Somebody asked the queue to stop."""


def _stop(number: int, frame: Any) -> None:
    del number, frame
    raise Stopped


class Runner:
    """One queue at work in one folder."""

    def __init__(self, *, work: Path, results: Path, lock: int | None) -> None:
        """Prepares to work.

        Args:
          work: folder of the model_dirs and logs, one below it per run.
          results: the file that lines are appended to.
          lock: descriptor that trainers inherit, from `held`; None: there is none.
        """
        self._work, self._results, self._lock = work, results, lock

    def work_off(self, read_plans: Callable[[], list[Plan]]) -> int:
        """Trains what has no line that says finished; returns how many failed.

        Args:
          read_plans: reads the queue; called again after each run, for lines may have been added.

        Raises:
          LonghaulError: if the queue is wrong.
          Stopped: on SIGTERM or SIGINT, which end the trainer too; the same queue goes on later.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, _stop)
        failed: set[str] = set()
        plans = read_plans()
        while True:
            plans = self._read_again(read_plans, plans)
            left = [p for p in plans if not self._is_done(p) and p.entry.run not in failed]
            if not left:
                return len(failed)
            say(f'{left[0].entry.name}, {len(left)} of {len(plans)} left: {_describe(left[0])}')
            if not self._train(left[0]):
                failed.add(left[0].entry.run)

    @staticmethod
    def _read_again(read_plans: Callable[[], list[Plan]], plans: list[Plan]) -> list[Plan]:
        """Reads the queue again; keeps what it said before while somebody is writing it."""
        try:
            return read_plans()
        except LonghaulError as error:
            say(f'{error}; going on with what the queue said before')
            return plans

    def _is_done(self, plan: Plan) -> bool:
        ended = lines.outcome(lines.read(self._results), plan.entry.run)
        return ended is not None and ended['finished']

    def _train(self, plan: Plan) -> bool:
        folder = self._work / plan.entry.name
        folder.mkdir(parents=True, exist_ok=True)
        started = time.time()
        try:
            steps = self._steps(plan, folder)
        except ProbeError as error:
            steps, failed = plan.asked, str(error)
        else:
            failed = ''
        params = plan.params(steps)
        common = {
            'run': plan.entry.run,
            'gin_file': plan.entry.gin_file,
            'records': plan.entry.records,
            'params': params,
            'seed': plan.seed,
            'budget': str(plan.entry.budget or ''),
            'asked_epochs': round(plan.asked.total / plan.steps_per_epoch, 3),
        }
        model_dir, log = folder / 'model', folder / 'log.txt'
        ending = {'kind': 'run', 'finished': False, 'error': failed}
        if not failed:
            code = self._call(
                plan.command(model_dir, params, 'train_and_eval'),
                log,
                lambda: self._append_validations(model_dir, common),
            )
            ending = self._ending(model_dir, log, code)
        line: dict[str, Any] = common | {'seconds': round(time.time() - started, 1)} | ending
        lines.append(self._results, line)
        say(f'    {_outcome(line)}')
        return line['finished']

    def _steps(self, plan: Plan, folder: Path) -> Steps:
        """The steps of a run; a run that goes on has the same ones as before."""
        path = folder / 'steps.json'
        if not path.exists():
            rates = self._measure(plan, folder) if plan.in_minutes else None
            steps = plan.steps(rates)
            partial = path.with_suffix('.partial')
            partial.write_text(json.dumps({'pretrain': steps.pretrain, 'train': steps.train}))
            partial.rename(path)
        return Steps(**json.loads(path.read_text()))

    def _measure(self, plan: Plan, folder: Path) -> Rates:
        """Measures steps a second of both phases, by a few steps of each."""
        from tools import event_files

        probe = Steps(min(plan.asked.pretrain, _PROBE_STEPS), min(plan.asked.train, _PROBE_STEPS))
        params = [
            *plan.entry.params,
            *plan.of_length(probe),
            f'RunConfig.log_interval={_PROBE_LOOP}',
        ]
        model_dir = folder / f'probe-{time.time_ns()}'
        log = folder / 'probe.txt'
        if self._call(plan.command(model_dir, params, 'train'), log, lambda: None):
            raise ProbeError(f'no speed was measured: {_last_line(log)}')
        found = event_files.read_values(model_dir / 'train')['steps_per_second']
        return Rates(pretrain=float(found.get(probe.pretrain, 1.0)), train=float(found[max(found)]))

    def _call(self, command: list[str], log: Path, while_it_runs: Callable[[], None]) -> int:
        """Runs a command into a log file; returns its exit code."""
        child = None
        try:
            with open(log, 'ab') as file:
                kept = () if self._lock is None else (self._lock,)
                child = subprocess.Popen(
                    command,
                    stdout=file,
                    stderr=file,
                    pass_fds=kept,
                    start_new_session=True,
                )
            while child.poll() is None:
                time.sleep(_POLL_SECONDS)
                while_it_runs()
        except BaseException as error:
            # Whatever happens here, no trainer is left behind, and what it has saved is noted.
            if child is not None:
                child.terminate()
                child.wait()
            if isinstance(error, Stopped):
                while_it_runs()
            raise
        while_it_runs()
        return child.returncode

    def _append_validations(self, model_dir: Path, common: dict[str, Any]) -> None:
        """Appends the validations that are new, or that a resumed run has done again."""
        path = model_dir / 'validations.jsonl'
        if not path.exists():
            return
        commits = json.loads((model_dir / 'command.json').read_text())['commits']
        noted = lines.validations(lines.read(self._results), common['run'])
        known = {(line['step'], line['seconds']) for line in noted}
        for found in json_lines.read(path):
            if (found['step'], found['seconds']) not in known:
                line = {
                    'kind': 'epoch',
                    **common,
                    'commit': ' '.join(commits),
                    'finished': False,
                    **found,
                    'validation_accuracy': found.get('accuracy'),
                    'test_accuracy': None,
                    'test_interval': None,
                }
                lines.append(self._results, line)
                say(f'    {_outcome(line)}')

    def _ending(self, model_dir: Path, log: Path, code: int) -> dict[str, Any]:
        path = model_dir / 'result.json'
        if code == 0 and path.exists():
            return {'kind': 'run', **json.loads(path.read_text())}
        return {
            'kind': 'run',
            'finished': False,
            'error': f'exit code {code}: {_last_line(log)}',
        }


def work_off_queues(
    queues: list[Path], *, records: Path, work: Path, results: Path, budget: Budget | None
) -> int:
    """Works off queues, one after another; all are read, and refused if wrong, before any starts.

    Args:
      queues: files, see `tools.reproduce.queue`; the lines of NAME.queue go to NAME.jsonl.
      records: folder of folders of records.
      work: folder of checkpoints and logs.
      results: folder of the lines.
      budget: in place of the runs' own budgets.

    Returns:
      An exit code: 0, 1 if a run failed, 130 if it was stopped.
    """

    def read_plans(queue: Path) -> list[Plan]:
        """Reads what the queue says now."""
        return [make_plan(entry, records, budget) for entry in read_queue(queue)]

    for queue in queues:
        read_plans(queue)
    failed = 0
    work.mkdir(parents=True, exist_ok=True)
    # Trainers inherit the lock: one that a killed queue leaves running still holds the folder.
    with held(str(work), flag='--work', doing='or its trainer is at work there', say=say) as lock:
        try:
            for queue in queues:
                file = results / f'{queue.stem}.jsonl'
                runner = Runner(work=work, results=file, lock=lock)
                failed += runner.work_off(functools.partial(read_plans, queue))
        except Stopped:
            say('stopped; the same command goes on')
            return 130
    if failed:
        say(f'{failed} runs failed; the same command tries them again')
    return 1 if failed else 0


def _describe(plan: Plan) -> str:
    words = [plan.entry.gin_file, *plan.entry.params]
    return ' '.join(words + ([f'--budget={plan.entry.budget}'] if plan.entry.budget else []))


def _outcome(line: dict[str, Any]) -> str:
    if 'error' in line:
        return line['error']
    said = f'epoch {line["epochs"]:.2f}  {line["seconds"]:.0f} s  '
    said += f'validation {lines.percent(line["validation_accuracy"])}'
    if line['kind'] == 'run':
        said += f'  test {lines.percent(line["test_accuracy"])}'
    return said


def _last_line(log: Path) -> str:
    return last_line(log.read_text(errors='replace'))
