"""Makes records: python -m pipelines.main --source=... --output=..."""

import logging
import os
import sys

# While they are imported, TensorFlow and Beam log about GPUs, which a job does not use, and about
# optional parts that are not installed.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
logging.disable(logging.WARNING)

if __name__ == '__main__' and {'-h', '--help'} & {*sys.argv[1:]}:
    from pipelines import options

    # Prints the help and ends, before Beam is loaded.
    options.parse(sys.argv[1:])

from pipelines import launcher  # noqa: E402

logging.disable(logging.NOTSET)

if __name__ == '__main__':
    sys.exit(launcher.main(sys.argv[1:]))
