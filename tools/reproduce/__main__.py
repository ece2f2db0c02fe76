"""Reproduces results.

python -m tools.reproduce run results/mnist_300.queue --records=DIR --work=DIR
python -m tools.reproduce report
"""

import argparse
import logging
import os
import sys
from pathlib import Path

from pipelines.format.errors import LonghaulError
from tools.reproduce.budget import parse_budget

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m tools.reproduce', description=__doc__)
    commands = parser.add_subparsers(dest='command', required=True)
    run = commands.add_parser('run', help='work off queues; a killed one goes on where it was')
    run.add_argument('queues', nargs='+', type=Path, help='files that name runs')
    run.add_argument('--records', type=Path, required=True, help='folder of folders of records')
    run.add_argument('--work', type=Path, required=True, help='folder for checkpoints and logs')
    run.add_argument('--results', type=Path, default=Path('results'), help='folder of the lines')
    run.add_argument('--budget', help="5epochs or 20minutes, in place of the runs' own budgets")
    written = commands.add_parser('report', help='bring the marked blocks of documents up to date')
    written.add_argument('--results', type=Path, default=Path('results'))
    written.add_argument('--docs', type=Path, default=Path('docs'))
    return parser


def main() -> None:
    """Hands the flags over."""
    flags = _parser().parse_args()
    # gin logs what it also raises.
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        if flags.command == 'report':
            from tools.reproduce import report

            for path in report.report(results=flags.results, docs=flags.docs):
                print(path)
            return
        # Without TensorFlow, unless minutes are to be measured: it lives for hours beside trainers.
        from tools.reproduce import runner

        budget = parse_budget(flags.budget) if flags.budget else None
        places = {'records': flags.records, 'work': flags.work, 'results': flags.results}
        sys.exit(runner.work_off_queues(flags.queues, budget=budget, **places))
    except LonghaulError as error:
        sys.exit(f'error: {error}')


if __name__ == '__main__':
    main()
