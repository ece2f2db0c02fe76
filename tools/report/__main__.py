"""Writes one self-contained page about a finished run, or about several, compared.

  python -m tools.report RUN --html=report.html
  python -m tools.report RUN RUN RUN --html=comparison.html

The page loads nothing and runs no script. Training writes the page of its run as RUN/report.html.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Writes the page of the runs named; returns the exit code."""
    parser = Parser('python -m tools.report', doc=__doc__)
    parser.add_argument('runs', nargs='+', metavar='RUN', help='model_dirs of trained runs')
    parser.add_argument('--html', required=True, help='file to write the page into')
    parser.add_argument('--records', help="folder of the runs' records, if they have moved")
    flags = parser.parse_args(arguments)
    from tools.report import command

    def write() -> int:
        """Writes it and says how large it is."""
        size = command.write(flags.runs, flags.html, records=flags.records)
        print(f'{flags.html}: {size / 1e3:,.0f} kB')
        return 0

    return code_of(write)


if __name__ == '__main__':
    sys.exit(main())
