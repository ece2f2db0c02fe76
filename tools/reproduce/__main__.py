"""Works off queues of training runs, and writes their results into documents.

python -m tools.reproduce run results/mnist_300.queue --records=DIR --work=DIR
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
    return code_of(lambda: _report(flags) if flags.command == 'report' else _run(flags), refused=1)


def _report(flags: argparse.Namespace) -> int:
    from tools.reproduce import report

    for path in report.report(results=flags.results, docs=flags.docs):
        print(path)
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
