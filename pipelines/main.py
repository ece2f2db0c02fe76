"""Raw images and documents into records: python -m pipelines.main --source=... --output=..."""

import logging
import os
import sys

# TensorFlow and Beam talk before anybody can ask them not to: of GPUs that a job has no use for,
# and of optional parts that are not installed.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
logging.disable(logging.WARNING)

from pipelines import launcher  # noqa: E402

logging.disable(logging.NOTSET)

if __name__ == '__main__':
    sys.exit(launcher.main(sys.argv[1:]))
