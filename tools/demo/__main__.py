"""Shows what lies beyond the gradient's reach, learned or not; `make demo` runs it.

Each digit is followed by as many blank steps as it has pixels, and gradients reach back less than
that: a truncated LSTM never sees a digit with gradient. The r-LSTM's auxiliary loss makes it keep
the digit anyway; full BPTT, which sees all steps, is trained for comparison. The r-LSTM is
exported, and a fresh process sends it raw PNG files.
"""

import os
import sys
import time
from pathlib import Path

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Runs the whole demonstration; returns the exit code, 1 for a refusal."""
    parser = Parser('python -m tools.demo', doc=__doc__)
    parser.add_argument('--side', type=int, default=8, help='side of the digits (default 8)')
    parser.add_argument('--output', default='demo_output', help='folder for everything')
    parser.add_argument('--train_steps', type=int, help='default: what fits into five minutes')
    flags = parser.parse_args(arguments)

    def demonstrate() -> int:
        """In a folder of its own."""
        from tools.demo import show
        from tools.demo.steps import Demo

        name = f'{flags.side}x{flags.side}-{time.strftime("%Y%m%d-%H%M%S")}'
        show.run(Demo.of(Path(flags.output) / name, side=flags.side, train_steps=flags.train_steps))
        return 0

    return code_of(demonstrate, refused=1)


if __name__ == '__main__':
    sys.exit(main())
