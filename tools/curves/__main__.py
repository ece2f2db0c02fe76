"""Draws pictures of finished runs, from what lies in their folders alone.

  python -m tools.curves --output=curves.png RUN RUN...
  python -m tools.curves --memory --output=memory.png RUN RUN...

Draws each run's accuracy on the validation split over training steps, with its 95 % interval; or,
with --memory, how much of the past its last state holds, by distance.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Draws the accuracy, or the memory, of the runs named; returns the exit code, 1 refused."""
    parser = Parser('python -m tools.curves', doc=__doc__)
    parser.add_argument('runs', nargs='+', help='model_dirs that were trained with validation')
    parser.add_argument('--output', default='curves.png', help='PNG file (default curves.png)')
    parser.add_argument('--memory', action='store_true', help='draw what the last state holds')
    flags = parser.parse_args(arguments)
    from tools.curves import draw

    def draw_runs() -> int:
        runs = {run: Path(run) for run in flags.runs}
        (draw.memory if flags.memory else draw.accuracy)(runs, Path(flags.output))
        print(flags.output)
        return 0

    return code_of(draw_runs, refused=1)


if __name__ == '__main__':
    sys.exit(main())
