"""Turns raw images and documents into records: python -m pipelines.main --source=... --output=..."""

import sys

from pipelines import launcher

if __name__ == '__main__':
    sys.exit(launcher.main(sys.argv[1:]))
