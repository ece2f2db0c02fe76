"""The file that --json names."""

import json
import os
from pathlib import Path
from typing import Any

from pipelines.format.errors import LonghaulError


def check_file(flag: str, name: str) -> None:
    """Refuses, before anything is measured, a file that cannot be written; '' is none.

    Raises:
      LonghaulError: naming the flag.
    """
    if name and not Path(name).absolute().parent.is_dir():
        raise LonghaulError(f'{flag}={name}: there is no such folder; create it first')
    if name and Path(name).is_dir():
        raise LonghaulError(f'{flag}={name}: is a folder; name a file in it')


def write(name: str, values: Any) -> None:
    """Writes values of JSON into a file, of which a reader never sees half; '' is no file."""
    if name:
        partial = Path(f'{name}.part')
        partial.write_text(json.dumps(values, indent=1) + '\n', encoding='utf-8')
        os.replace(partial, name)
