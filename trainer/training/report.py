"""The page of a finished run, report.html, by the command that a user would type.

It is drawn in a process of its own. So the trainer imports neither the tool nor what it draws with,
and whatever happens to the page (no memory, no end, an error) happens to the page alone.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from pipelines.format.errors import first_line

FILE_NAME = 'report.html'
_SECONDS = 600.0
_PACKAGES = Path(__file__).parents[2]


def write_report(model_dir: str, *, say: Callable[[str], None], seconds: float = _SECONDS) -> bool:
    """Writes RUN/report.html; says where it is, or why there is none, and never raises for that.

    Args:
      model_dir: of the run.
      say: takes a line for people.
      seconds: after which it is given up.

    Returns:
      Whether it was written.
    """
    path = os.path.join(model_dir, FILE_NAME)
    try:
        done = subprocess.run(
            [sys.executable, '-m', 'tools.report', model_dir, f'--html={path}'],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        say(f'no {FILE_NAME}: {first_line(error)}; the run itself is complete')
        return False
    if done.returncode:
        lines = done.stderr.decode('utf-8', 'replace').strip().splitlines()
        why = lines[-1][:300] if lines else f'exit code {done.returncode}'
        say(f'no {FILE_NAME}: {why}; the run itself is complete')
        return False
    say(f'report: {path}')
    return True


def _environment() -> dict[str, str]:
    """The process finds our packages wherever it starts, and leaves the accelerators to us."""
    found = [str(_PACKAGES), *filter(None, [os.environ.get('PYTHONPATH')])]
    return os.environ | {'PYTHONPATH': os.pathsep.join(found), 'CUDA_VISIBLE_DEVICES': '-1'}
