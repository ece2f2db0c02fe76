"""Works off queues of training runs and sweeps, and writes their results into documents.

python -m tools.reproduce run results/mnist_300.queue --records=DIR --work=DIR
python -m tools.reproduce table results/mnist_300.queue
python -m tools.reproduce rates gin/photos.gin --records=DIR
python -m tools.reproduce report
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from tools.flags import Parser, code_of
from tools.reproduce.budget import parse_budget

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def _parser() -> argparse.ArgumentParser:
    parser = Parser('python -m tools.reproduce', doc=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='work off queues; a killed one goes on where it was')
    run.add_argument('queues', nargs='+', type=Path, help='files that name runs')
    run.add_argument('--records', type=Path, required=True, help='folder of folders of records')
    run.add_argument('--work', type=Path, required=True, help='folder for checkpoints and logs')
    run.add_argument('--results', type=Path, default=Path('results'), help='folder of the lines')
    run.add_argument('--budget', help="5epochs or 20minutes, in place of the runs' own budgets")
    shown = commands.add_parser('table', help='print the results of queues, by setting')
    shown.add_argument('queues', nargs='+', type=Path, help='files that name runs')
    shown.add_argument('--results', type=Path, default=Path('results'), help='folder of the lines')
    tried = commands.add_parser('rates', help='find a learning rate: the loss while it grows')
    tried.add_argument('gin_file', help='the experiment')
    tried.add_argument('params', nargs='*', help='gin parameters, such as BATCH_SIZE=64')
    tried.add_argument('--records', required=True, help='folder of records')
    tried.add_argument('--low', type=float, default=1e-5, help='first rate (default 1e-5)')
    tried.add_argument('--high', type=float, default=1.0, help='last rate (default 1)')
    tried.add_argument('--steps', type=int, default=100, help='steps to take (default 100)')
    written = commands.add_parser('report', help='bring the marked blocks of documents up to date')
    written.add_argument(
        '--results', type=Path, default=Path('results'), help='folder of the lines'
    )
    written.add_argument('--docs', type=Path, default=Path('docs'), help='folder of documents')
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Hands the flags over; returns the exit code, 1 for a refusal too."""
    flags = _parser().parse_args(arguments)
    # gin logs what it also raises.
    logging.getLogger().setLevel(logging.CRITICAL)
    command = {'report': _report, 'run': _run, 'table': _table, 'rates': _rates}[flags.command]
    return code_of(lambda: command(flags), refused=1)


def _report(flags: argparse.Namespace) -> int:
    from tools.reproduce import report

    for path in report.report(results=flags.results, docs=flags.docs):
        print(path)
    return 0


def _table(flags: argparse.Namespace) -> int:
    from tools.reproduce import sweep

    print(sweep.show(flags.queues, results=flags.results))
    return 0


def _rates(flags: argparse.Namespace) -> int:
    from tools.reproduce import rates
    from trainer import bindings

    config = bindings.load(
        gin_files=[flags.gin_file], gin_params=flags.params, records=flags.records
    )
    found = rates.range_test(config, low=flags.low, high=flags.high, steps=flags.steps)
    print(found)
    rate = f'{found.steepest:.1e}'
    print(f'the loss falls fastest at {rate}: try --gin_param="LEARNING_RATE={rate}"')
    return 0


def _run(flags: argparse.Namespace) -> int:
    # Without TensorFlow, unless minutes are to be measured: this process lives beside trainers.
    from tools.reproduce import runner

    return runner.work_off_queues(
        flags.queues,
        records=flags.records,
        work=flags.work,
        results=flags.results,
        budget=parse_budget(flags.budget) if flags.budget else None,
    )


if __name__ == '__main__':
    sys.exit(main())
