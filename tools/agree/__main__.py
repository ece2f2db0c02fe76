"""Checks that every way to ask an exported model says what the trainer said.

  python -m tools.agree RUN --records=records/photos
  python -m tools.agree RUN --records=records/photos --grpc=HOST:PORT --rest=HOST:PORT

The model is asked for every example of a split: as a raw item, as decoded steps, in chunks of
random length, by TFLite, by ONNX and by a server. Each answer is compared with what the trainer's
own evaluation has written down. Exit code 0 if all agree (the same class, probabilities within
1e-5), 1 if not, 2 for a refusal.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Prints a line for each way; returns the exit code."""
    parser = Parser('python -m tools.agree', doc=__doc__)
    parser.add_argument(
        'folder', metavar='run', help='--model_dir of a run that was evaluated and exported'
    )
    parser.add_argument('--records', required=True, help='folder of its records')
    parser.add_argument('--split', default='test', help='split that was evaluated (default test)')
    parser.add_argument('--batch_size', type=int, default=128, help='examples a call (default 128)')
    parser.add_argument(
        '--seed', type=int, default=0, help='draws the lengths of chunks (default 0)'
    )
    parser.add_argument('--grpc', help='HOST:PORT of a server that serves the export')
    parser.add_argument('--rest', help='HOST:PORT of its REST API')
    parser.add_argument('--model', default='longhaul', help='its name on the server (longhaul)')
    flags = parser.parse_args(arguments)
    from tools.agree import command

    return code_of(lambda: 0 if command.run(**vars(flags)) else 1)


if __name__ == '__main__':
    sys.exit(main())
