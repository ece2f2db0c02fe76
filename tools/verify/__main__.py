"""Looks for faults in finished records, down to the last byte.

  python -m tools.verify records/photos

Prints one line per fault, with the file and the offset. Exit code 0 without faults, 1 with some,
2 if the records cannot be looked at: unfinished, unreadable, or with a damaged records.json.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Prints the faults; returns the exit code."""
    parser = Parser('python -m tools.verify', doc=__doc__)
    parser.add_argument('folder', help='--output of python -m pipelines.main')
    flags = parser.parse_args(arguments)
    from tools.verify import folder

    def look() -> int:
        report = folder.verify(flags.folder)
        for line in report.lines():
            print(line)
        print(report.summary())
        return 1 if report.faults else 0

    return code_of(look)


if __name__ == '__main__':
    sys.exit(main())
