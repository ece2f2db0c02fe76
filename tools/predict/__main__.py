"""Classifies files with an exported SavedModel, without a server.

  python -m tools.predict RUN/export/10000 photos/ more.png
  cat document.txt | python -m tools.predict RUN/export/10000 -

A file that is too large to be held is streamed through the model, in constant memory. Exit code 0,
1 if some files could not be read, 2 for a refusal.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of
from tools.terminal import while_somebody_reads


def main(arguments: list[str] | None = None) -> int:
    """Prints one line per file; returns the exit code."""
    parser = Parser('python -m tools.predict', doc=__doc__)
    parser.add_argument('export', help='folder of the SavedModel, such as RUN/export/1600')
    parser.add_argument(
        'paths', metavar='files', nargs='+', help='files, or folders of them; - is standard input'
    )
    parser.add_argument('--json', dest='as_json', action='store_true', help='print JSON lines')
    parser.add_argument('--top', type=int, default=1, help='classes per file, up to 5 (default 1)')
    parser.add_argument('--batch_size', type=int, default=64, help='files per call (default 64)')
    parser.add_argument(
        '--stream',
        action='store_true',
        help='read every file chunk by chunk; files beyond 64 MB are in any case',
    )
    parser.add_argument(
        '--recall',
        metavar='PICTURE',
        help='also draw (or write) what the model reconstructs of '
        'the first file, an r-LSTM: a .png, or a .txt for documents',
    )
    flags = parser.parse_args(arguments)
    from tools.predict import command

    def classify() -> int:
        with while_somebody_reads():
            unreadable = command.run(**vars(flags))
        return 1 if unreadable else 0

    return code_of(classify)


if __name__ == '__main__':
    sys.exit(main())
