"""Raw images and documents into records: python -m pipelines.main --source=... --output=..."""

import os
import sys

# TensorFlow talks before anybody can ask it not to.
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')

from pipelines import launcher  # noqa: E402

if __name__ == '__main__':
    sys.exit(launcher.main(sys.argv[1:]))
