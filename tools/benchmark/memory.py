"""How much memory processes have in RAM, in bytes."""

import contextlib
import os
import resource
from pathlib import Path


def resident(pid: int | str = 'self') -> int:
    """What a process has in RAM now; 0 if there is no such process."""
    try:
        pages = Path(f'/proc/{pid}/statm').read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf('SC_PAGE_SIZE')


def peak() -> int:
    """The most that this process has had in RAM."""
    # Not ru_maxrss where it can be helped: a new process inherits its parent's.
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def forget_peak() -> None:
    """Lets `peak` begin anew: what an import needed for a moment is not the model's."""
    with contextlib.suppress(OSError):
        Path('/proc/self/clear_refs').write_text('5')
