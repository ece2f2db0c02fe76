"""Holds an export against the run it comes from: does every way to ask it say the same?

  python -m tools.agree RUN --records=records/photos
  python -m tools.agree RUN --records=records/photos --grpc=HOST:PORT --rest=HOST:PORT

Every example of a split is asked as a raw item, as decoded steps, in chunks of random length, by
the TFLite model and by a server, and held against what the trainer's own evaluation has written
down. Exit code 0 if all agree (the same class, probabilities within 1e-5), 1 if not, 2 for a
refusal.
"""

import os
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')

from tools.flags import Parser, code_of


def main(arguments: list[str] | None = None) -> int:
    """Prints a line for each way; returns the exit code."""
    parser = Parser('python -m tools.agree', doc=__doc__)
    parser.add_argument('run', help='--model_dir of the run, evaluated and exported')
    parser.add_argument('--records', required=True, help='folder of its records')
    parser.add_argument('--split', default='test', help='that was evaluated (default test)')
    parser.add_argument('--batch_size', type=int, default=128, help='per call (default 128)')
    parser.add_argument('--seed', type=int, default=0, help='of the lengths of chunks (default 0)')
    parser.add_argument('--grpc', help='HOST:PORT of a server that serves the export')
    parser.add_argument('--rest', help='HOST:PORT of its REST API')
    parser.add_argument('--model', default='longhaul', help='name on the server')
    flags = parser.parse_args(arguments)
    from tools.agree import command

    def compare() -> int:
        agreed = command.run(
            flags.run,
            records=flags.records,
            split=flags.split,
            batch_size=flags.batch_size,
            seed=flags.seed,
            grpc=flags.grpc,
            rest=flags.rest,
            model=flags.model,
        )
        return 0 if agreed else 1

    return code_of(compare)


if __name__ == '__main__':
    sys.exit(main())
