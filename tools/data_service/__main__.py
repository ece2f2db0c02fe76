"""A tf.data service for `DataConfig.service`: a dispatcher and workers that read and parse.

  python -m tools.data_service --port=5050 --workers=2
  python -m tools.data_service --dispatcher=grpc://10.0.0.1:5050 --open

The first form starts a dispatcher with workers in this process, the second one more worker, on
another machine for example. Workers read the records under the path that the trainer names. Nobody
checks who asks, and whoever reaches a worker can have it read any file that it may read. So it
serves this machine alone: all else is dropped by the kernel. --open serves other machines too.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.data_service import servers
from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Serves until it is told to end; returns the exit code, 1 for a refusal."""
    parser = Parser('python -m tools.data_service', doc=__doc__)
    parser.add_argument('--port', type=int, default=5050, help='of the dispatcher (default 5050)')
    parser.add_argument('--workers', type=int, default=1, help='workers to start here (default 1)')
    parser.add_argument('--dispatcher', help='grpc://host:port of a dispatcher that runs already')
    parser.add_argument(
        '--open',
        dest='to_others',
        action='store_true',
        help='serve other machines, too: in a network alone in which you trust everybody',
    )
    flags = parser.parse_args(arguments)
    return code_of(lambda: servers.run(**vars(flags)), refused=1)


if __name__ == '__main__':
    sys.exit(main())
