"""What hangs fails, with the stack of every thread."""

import contextlib
import faulthandler
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def watchdog(seconds: int) -> Iterator[None]:
    """TimeoutError after so many seconds; what cannot even fail then ends the process."""

    def give_up(*_: object) -> None:
        faulthandler.dump_traceback(all_threads=True)
        raise TimeoutError(f'still not done after {seconds} s')

    before = signal.signal(signal.SIGALRM, give_up)
    left = signal.alarm(seconds)
    faulthandler.dump_traceback_later(2 * seconds, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
        signal.alarm(left)
