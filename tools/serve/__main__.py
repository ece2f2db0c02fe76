"""Serves an exported model over gRPC and REST, with TensorFlow Serving's contract, and a page.

  python -m tools.serve runs/photos/export --model_name=photos
  python -m tools.query --server=localhost:8500 --model=photos new_photos/

http://localhost:8501/ shows the model reading. A newer version in the folder is taken up, and a
removed one is left, without an interruption. Only this machine is answered, unless --open asks for
others. Ctrl-C or SIGTERM answers what has begun, and stops. Exit code 0, or 2 for a refusal.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, add_flags, code_of


def main(arguments: list[str] | None = None) -> int:
    """Serves; returns the exit code."""
    from tools.serve.options import Options

    parser = Parser('python -m tools.serve', doc=__doc__)
    parser.add_argument('export_dir', metavar='EXPORT_DIR', help='folder of versions, RUN/export')
    add_flags(parser, Options)
    given = vars(parser.parse_args(arguments))

    def serve() -> int:
        """Serves until a signal comes."""
        options = Options(**given)
        from tools.serve import command

        command.run(options)
        return 0

    return code_of(serve)


if __name__ == '__main__':
    sys.exit(main())
