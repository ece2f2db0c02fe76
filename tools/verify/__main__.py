"""Looks for faults in finished records, down to the last byte.

  python -m tools.verify records/photos

One line per fault, with the file and the offset; exit code 0 without any, 1 with some, 2 if there
are no finished records to look at.
"""

import argparse
import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from pipelines.format.errors import LonghaulError


def main(arguments: list[str] | None = None) -> int:
    """Prints the faults; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog='python -m tools.verify', description=__doc__.splitlines()[0]
    )
    parser.add_argument('folder', help='--output of python -m pipelines.main')
    flags = parser.parse_args(arguments)
    from tools.verify import folder

    try:
        report = folder.verify(flags.folder)
    except LonghaulError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    for fault in report.faults:
        print(fault)
    print(report.summary())
    return 1 if report.faults else 0


if __name__ == '__main__':
    sys.exit(main())
