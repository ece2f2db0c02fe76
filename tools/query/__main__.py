"""Asks a model server, TensorFlow Serving for example, to classify files.

  python -m tools.query --server=localhost:8500 --model=photos photos/*.jpg
  python -m tools.query --server=localhost:8501 --rest --model=photos - < photo.jpg

Needs no TensorFlow. Exit code 0, 1 if some files could not be read or classified, 2 for a refusal.
"""

import sys

from tools.flags import Parser, code_of
from tools.terminal import while_somebody_reads


def main(arguments: list[str] | None = None) -> int:
    """Prints one line per file; returns the exit code."""
    parser = Parser('python -m tools.query', doc=__doc__)
    parser.add_argument(
        'paths', metavar='files', nargs='+', help='files, or folders of them; - is standard input'
    )
    parser.add_argument('--server', required=True, help='HOST:PORT')
    parser.add_argument(
        '--model', required=True, help='name of the model on the server (its --model_name)'
    )
    parser.add_argument('--version', type=int, help='version of the model; default: the latest')
    parser.add_argument('--rest', action='store_true', help='ask by REST; default: by gRPC')
    parser.add_argument('--token_file', default='', help='file with the token the server wants')
    parser.add_argument('--json', dest='as_json', action='store_true', help='print JSON lines')
    parser.add_argument('--top', type=int, default=1, help='classes per file, up to 5 (default 1)')
    parser.add_argument('--batch_size', type=int, default=32, help='files per call (default 32)')
    parser.add_argument('--timeout', type=float, default=60, help='seconds per call (default 60)')
    flags = parser.parse_args(arguments)
    from tools.query import command

    def classify() -> int:
        with while_somebody_reads():
            failed = command.run(**vars(flags))
        return 1 if failed else 0

    return code_of(classify)


if __name__ == '__main__':
    sys.exit(main())
