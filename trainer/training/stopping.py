"""SIGTERM and Ctrl-C: the process finishes the current step, saves a checkpoint, and exits.

Preemptible machines send SIGTERM and then allow about half a minute. A second signal ends the
process without saving.
"""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

import numpy as np
import tensorflow as tf

from trainer.devices import workers

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(BaseException):  # noqa: N818, nothing went wrong
    """This process was asked to stop.

    Attributes:
      number: of the signal.
      at_once: whether to exit without saving.
      saved: global step of the checkpoint that was written before stopping; None: none was.
    """

    def __init__(self, number: int, *, at_once: bool = False) -> None:
        super().__init__(number)
        self.number, self.at_once = number, at_once
        self.saved: int | None = None


class StopRequest:
    """Whether this process, or another worker of its run, is to stop."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._all_agreed, self._saving = False, False

    def receive(self, number: int, frame: FrameType | None = None) -> None:
        """Handles a signal. If nothing is being trained, the process exits at once.

        Raises:
          Stopped: if nothing is being trained, and at the second signal.
        """
        del frame
        if self._number is not None or not self._saving:
            raise Stopped(number, at_once=True)
        self._number = number

    @contextlib.contextmanager
    def awaited(self) -> Iterator[None]:
        """Inside this context a signal is only noted, so that the caller can save first."""
        self._saving = True
        try:
            yield
        finally:
            self._saving = False

    def is_made(self, strategy: tf.distribute.Strategy) -> bool:
        """Whether to stop after this step; all workers must call it, and get the same answer."""
        if workers.count(strategy) == 1:
            return self._number is not None
        if not self._all_agreed:
            own = np.array([self._number or 0], np.int64)
            number = int(workers.gather(strategy, own).max())
            self._all_agreed = number > 0
            self._number = number or self._number
        return self._all_agreed

    def stop(self) -> None:
        """Stops this process.

        Raises:
          Stopped: always.
        """
        raise Stopped(self._number or signal.SIGTERM)


@contextlib.contextmanager
def listening() -> Iterator[StopRequest]:
    """Handles the signals inside this context, if it is entered in the process's main thread."""
    request, before = StopRequest(), {}
    with contextlib.suppress(ValueError):
        before = {number: signal.signal(number, request.receive) for number in _SIGNALS}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
